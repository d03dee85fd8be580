package oidc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// maxBody is the most that is read of any answer of a provider.
const maxBody = 1 << 20

// identity, as the Accept-Encoding of every call, also keeps net/http from
// unpacking answers: what is not unpacked can't be a bomb.
const identity = "identity"

// errTooBig means that an answer went on past maxBody.
var errTooBig = errors.New("answer is too big")

// readBody returns what came of a body, even with an error: a broken token
// answer may still hold a refresh token.
func readBody(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err == nil && len(b) > maxBody {
		return b[:maxBody], errTooBig
	}
	return b, err
}

// getJSON fetches one JSON object. bearer may be empty. Any status but 200 is
// an error.
func getJSON(ctx context.Context, client *http.Client, url string, bearer session.Secret) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, errors.New("address is not usable")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", identity)
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer.Reveal())
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, netCause(err)
	}
	defer func() { _ = res.Body.Close() }()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, errors.New("status 404: is the issuer right? Its documents must be at this address")
	default:
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	body, err := readBody(res.Body)
	if errors.Is(err, errTooBig) {
		return nil, err
	}
	if err != nil {
		return nil, netCause(err)
	}
	return parseObject(body)
}

// object is a JSON object whose members are found by their exact names.
// Decoding into a struct would take "SUB" for sub.
type object map[string]json.RawMessage

func parseObject(b []byte) (object, error) {
	var o object
	if err := json.Unmarshal(b, &o); err != nil || o == nil {
		// The cause would quote the provider.
		return nil, errors.New("not a JSON object")
	}
	return o, nil
}

func (o object) has(name string) bool {
	v, ok := o[name]
	return ok && !bytes.Equal(v, []byte("null"))
}

// text returns a string member; "" and true if there is none.
func (o object) text(name string) (string, bool) {
	if !o.has(name) {
		return "", true
	}
	var s string
	err := json.Unmarshal(o[name], &s)
	return s, err == nil
}

// texts returns a member that is a string or an array of strings.
func (o object) texts(name string) ([]string, bool) {
	if s, ok := o.text(name); ok {
		if s == "" {
			return nil, true
		}
		return []string{s}, true
	}
	var list []string
	err := json.Unmarshal(o[name], &list)
	return list, err == nil
}

// number returns a numeric member, or a string that spells one: some providers
// quote their numbers. ok is false if there is none that makes sense.
func (o object) number(name string) (f float64, ok bool) {
	if !o.has(name) {
		return 0, false
	}
	raw := strings.Trim(string(o[name]), `"`)
	if err := json.Unmarshal([]byte(raw), &f); err != nil {
		return 0, false
	}
	return f, true
}

// boolean returns a member that is true; anything else is false.
func (o object) boolean(name string) bool { return string(o[name]) == "true" }
