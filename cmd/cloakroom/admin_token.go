package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// leastToken is how many characters an administrator's own token must have: 192
// bits, if they are random.
const leastToken = 32

// openAdminToken reads the bearer token of the admin listener. At the first
// start it makes one: 256 random bits, readable by the owner only. Call it with
// the store locked, so that two starts don't make two.
func openAdminToken(file string) (session.Secret, error) {
	token, err := readAdminToken(file)
	if !errors.Is(err, os.ErrNotExist) {
		return token, err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", err
	}
	var b [32]byte
	_, _ = rand.Read(b[:])
	if err := replaceFile(file, []byte(base64.RawURLEncoding.EncodeToString(b[:])+"\n")); err != nil {
		return "", err
	}
	return readAdminToken(file)
}

// readAdminToken reads the token in file: one line of characters that a header
// can carry. Errors never say what stands there.
func readAdminToken(file string) (session.Secret, error) {
	data, err := readLimited(file, maxSecret)
	if err != nil {
		return "", err
	}
	const remedy = "is this really the admin token's file? If so, remove it, and the next start makes a new one"
	token := strings.TrimRight(string(data), "\r\n")
	switch {
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New("the token must be one line of ASCII text without spaces; " + remedy)
	case len(token) < leastToken:
		return "", fmt.Errorf("the token has %d characters, want %d or more; %s", len(token), leastToken, remedy)
	}
	return session.Secret(token), nil
}

// openPaths of the admin listener ask for no token: probes and scrapers have
// none, and the answers hold nothing secret.
var openPaths = map[string]bool{"/healthz": true, "/readyz": true, "/metrics": true}

// authorized lets requests pass to next that hold the token, and those to
// openPaths. What is behind the others, or whether there is anything, nobody
// learns without it.
func (a *app) authorized(next http.Handler) http.Handler {
	// Digests have one length, so that comparing them takes one time.
	want := sha256.Sum256([]byte(a.token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(token))
		right := subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer") && a.token != ""
		if !right && !openPaths[r.URL.Path] {
			w.Header().Set("WWW-Authenticate", `Bearer realm="cloakroom admin"`)
			a.refuse(w, r, &a.refusals.token, adminProblem{
				Status: http.StatusUnauthorized, Code: "admin_token", Title: "A bearer token is needed",
				Detail: "send Authorization: Bearer and the content of admin.token_file",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}
