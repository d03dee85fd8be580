package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	keysLife     = time.Hour        // after it the key set is fetched again: dropped keys must die
	keysCooldown = 10 * time.Second // after a fetch that did not bring the key it was made for
	maxKeys      = 64
)

var (
	errUnknownKey   = errors.New("no key of the provider has this id")
	errBadSignature = errors.New("signature is not the provider's")
)

// keySet holds a provider's keys, as go-oidc's does, but an unknown key id
// cannot make it fetch more than once per cooldown, weak keys are left out, and
// what the provider answers does not turn up in errors.
type keySet struct {
	http *http.Client
	now  func() time.Time

	flight singleflight.Group // one fetch at a time for each source

	mu      sync.Mutex // guards what follows; never held during a call
	url     string     // where keys came from
	keys    []jose.JSONWebKey
	fetched time.Time
	fetches int   // so far, to see that another one has ended meanwhile
	err     error // of the last fetch

	pauses map[source]time.Time // no fetch before
}

// source is where a token came from. Each has its own cooldown: anybody can post
// forged logout tokens, and must not thereby keep a sign-in from finding the key
// that the provider began to use a moment ago.
type source string

const (
	fromProvider source = "provider" // it answered a call of ours
	fromAnybody  source = "anybody"
)

// verify returns the payload of a signed token, or errUnknownKey,
// errBadSignature, or an error of the fetch. The algorithm has been checked
// against the allow-list. Only the kid of the token's header is looked at:
// never jku, x5u or jwk, by which a token would name its own judge.
func (k *keySet) verify(ctx context.Context, from source, url string, jws *jose.JSONWebSignature) ([]byte, error) {
	keys, fetches := k.fresh(url)
	if payload, err := attempt(keys, jws); err == nil {
		return payload, nil
	}
	// OpenID Connect Core, 10.1.1: keys roll over without notice. Some
	// providers give them no ids, so a bad signature too is worth a look.
	keys, fetchErr := k.refetch(ctx, from, url, fetches)
	payload, err := attempt(keys, jws)
	switch {
	case err == nil && fetchErr == nil:
		k.helped(from)
	case err != nil && fetchErr != nil:
		return nil, fetchErr
	}
	return payload, err
}

// fresh returns the keys, unless they are too old to be used unasked, and how
// many fetches there have been.
func (k *keySet) fresh(url string) ([]jose.JSONWebKey, int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.url != url || k.now().Sub(k.fetched) >= keysLife {
		return nil, k.fetches
	}
	return k.keys, k.fetches
}

// refetch fetches the keys, unless that has been done since the caller looked
// or was done in vain a moment ago. Keys that were good an hour ago are
// returned beside the error while the provider is down.
func (k *keySet) refetch(ctx context.Context, from source, url string, seen int) ([]jose.JSONWebKey, error) {
	result := k.flight.DoChan(string(from)+" "+url, func() (any, error) {
		k.mu.Lock()
		done := k.url == url && (k.fetches != seen || k.now().Before(k.pauses[from]))
		keys, err := k.keys, k.err
		k.mu.Unlock()
		if done {
			return keys, err
		}
		// Others wait for this fetch, so it does not end with the first caller.
		fetchCtx, cancel := context.WithTimeout(context.Background(), metadataTimeout)
		defer cancel()
		keys, err = fetchKeys(fetchCtx, k.http, url)
		return k.settle(from, url, keys, err), err
	})
	select {
	case r := <-result:
		keys, _ := r.Val.([]jose.JSONWebKey)
		return keys, r.Err
	case <-ctx.Done():
		return nil, netCause(ctx.Err())
	}
}

// settle takes over the outcome of a fetch and returns the keys to use.
func (k *keySet) settle(from source, url string, keys []jose.JSONWebKey, err error) []jose.JSONWebKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if err == nil {
		k.keys, k.fetched = keys, now
	} else if k.url != url {
		k.keys = nil
	}
	k.url, k.err, k.fetches = url, err, k.fetches+1
	k.pauses[from] = now.Add(keysCooldown) // until helped says that it was not in vain
	return k.keys
}

// helped ends the pause: the last fetch brought the key it was made for.
func (k *keySet) helped(from source) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.pauses, from)
}

// attempt verifies jws with those keys that its kid names; with all of them if
// it has none.
func attempt(keys []jose.JSONWebKey, jws *jose.JSONWebSignature) ([]byte, error) {
	header := jws.Signatures[0].Header
	candidates := matching(keys, header.KeyID)
	if len(candidates) == 0 {
		return nil, errUnknownKey
	}
	for _, key := range candidates {
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errBadSignature
}

// matching returns the keys with that id; all of them if there is none.
func matching(keys []jose.JSONWebKey, kid string) []jose.JSONWebKey {
	if kid == "" {
		return keys
	}
	var out []jose.JSONWebKey
	for _, key := range keys {
		if key.KeyID == kid {
			out = append(out, key)
		}
	}
	return out
}

// fetchKeys reads a JWK set (RFC 7517) and leaves out what cannot or must not
// verify signatures.
func fetchKeys(ctx context.Context, client *http.Client, url string) ([]jose.JSONWebKey, error) {
	o, err := getJSON(ctx, client, url, "")
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(o["keys"], &list); err != nil {
		return nil, errors.New("keys: not a JWK set")
	}
	var keys []jose.JSONWebKey
	for _, raw := range list[:min(len(list), maxKeys)] {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) == nil && usable(key) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("keys: none is usable")
	}
	return keys, nil
}

func usable(key jose.JSONWebKey) bool {
	if !key.Valid() || (key.Use != "" && key.Use != "sig") {
		return false
	}
	switch k := key.Key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
