package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// tokenKey carries the token to remoteKeys, which refetches for a new kid.
type tokenKey struct{}

// remoteKeys fetches an issuer's keys and keeps them.
type remoteKeys struct {
	issuer string

	// mu is held during a fetch, which is bounded: one serves all who wait.
	mu      sync.Mutex
	set     jose.JSONWebKeySet
	fetched time.Time
}

// keysCooldown bounds how often unknown kids make us fetch.
const keysCooldown = time.Second

func (k *remoteKeys) get(ctx context.Context) (jose.JSONWebKeySet, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	token, _ := ctx.Value(tokenKey{}).(string)
	if jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256}); err != nil ||
		len(k.set.Key(jws.Signatures[0].Header.KeyID)) > 0 || time.Since(k.fetched) < keysCooldown {
		return k.set, nil
	}
	var meta struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := getJSON(ctx, k.issuer+"/.well-known/openid-configuration", &meta); err != nil {
		return k.set, err
	}
	var set jose.JSONWebKeySet
	if err := getJSON(ctx, meta.JWKS, &set); err != nil {
		return k.set, err
	}
	k.set, k.fetched = set, time.Now()
	return k.set, nil
}

func getJSON(ctx context.Context, target string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return fmt.Errorf("demo: fetch keys: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("demo: fetch keys: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("demo: fetch keys: %s", res.Status)
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(into); err != nil {
		return fmt.Errorf("demo: fetch keys: %w", err)
	}
	return nil
}
