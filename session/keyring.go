package session

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// KeySize is the size of a server key in bytes.
const KeySize = 32

// ErrKeys means that a key file can't be used. The error says why.
var ErrKeys = errors.New("keys")

// keyID names a server key in every value it seals: 8 bytes derived from it.
type keyID [8]byte

type serverKey struct {
	id  keyID
	key [KeySize]byte
}

// Keyring is the server's keys, newest first: the first one seals, all of them
// open. It is immutable and safe for concurrent use, and refuses to print.
type Keyring struct{ keys []serverKey }

// NewKey returns a new random server key as a line for a key file: standard
// base64 of 32 bytes.
func NewKey() string {
	var b [KeySize]byte
	_, _ = rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// ParseKeyring reads a key file: one base64 key of 32 bytes a line, newest
// first; blank lines and lines that begin with # are skipped. The error wraps
// ErrKeys and names the line, never its content: no key at all, a line that is
// no key, a key of another size, of equal bytes, or given twice.
func ParseKeyring(file []byte) (*Keyring, error) {
	k := &Keyring{}
	seen := map[keyID]bool{}
	for n, line := range bytes.Split(file, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := parseKey(line)
		if err == nil && seen[key.id] {
			err = errors.New("the same key stands above already; remove one of them")
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrKeys, n+1, err)
		}
		seen[key.id] = true
		k.keys = append(k.keys, key)
	}
	if len(k.keys) == 0 {
		return nil, fmt.Errorf("%w: there is no key", ErrKeys)
	}
	return k, nil
}

func parseKey(line []byte) (serverKey, error) {
	raw, err := base64.StdEncoding.DecodeString(string(line))
	if err != nil {
		return serverKey{}, errors.New("not base64")
	}
	if len(raw) != KeySize {
		return serverKey{}, fmt.Errorf("a key has %d bytes, this has %d", KeySize, len(raw))
	}
	if bytes.Count(raw, raw[:1]) == KeySize {
		return serverKey{}, errors.New("all bytes are equal, so this is no random key")
	}
	key := serverKey{key: [KeySize]byte(raw)}
	copy(key.id[:], derive(raw, nil, "cloakroom key id"))
	return key, nil
}

// Len returns how many keys there are; at least 1.
func (k *Keyring) Len() int { return len(k.keys) }

// IDs returns the names of the keys in hexadecimal, newest first: derived from
// the keys, of which they tell nothing. Every sealed value carries its key's.
func (k *Keyring) IDs() []string {
	out := make([]string, len(k.keys))
	for i := range k.keys {
		out[i] = hex.EncodeToString(k.keys[i].id[:])
	}
	return out
}

// Derive returns one 32-byte key for the given purpose from every server key,
// newest first, so that packages which seal something of their own (cookies)
// rotate with the ring and never share a key with it.
func (k *Keyring) Derive(purpose string) [][]byte {
	out := make([][]byte, len(k.keys))
	for i := range k.keys {
		out[i] = derive(k.keys[i].key[:], nil, "cloakroom derive "+purpose)
	}
	return out
}

// Format writes "[redacted]" for every verb.
func (Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps keys out of the logs.
func (Keyring) LogValue() slog.Value { return slog.StringValue(redacted) }

func (k *Keyring) find(id keyID) (*serverKey, bool) {
	for i := range k.keys {
		if k.keys[i].id == id {
			return &k.keys[i], true
		}
	}
	return nil, false
}

// index returns the index key of (kind, issuer, value) under every server key,
// newest first. Sessions are filed under the one that seals their head; lookups
// try all.
func (k *Keyring) index(kind, issuer, value string) []IndexKey {
	out := make([]IndexKey, len(k.keys))
	for i := range k.keys {
		out[i] = k.keys[i].index(kind, issuer, value)
	}
	return out
}

func (k *serverKey) index(kind, issuer, value string) IndexKey {
	// The lengths keep ("ab", "c") and ("a", "bc") apart.
	text := fmt.Sprintf("%d %s %d %s", len(issuer), issuer, len(value), value)
	return IndexKey(derive(derive(k.key[:], nil, "cloakroom index "+kind), []byte(text), "index"))
}

// mark returns the key of a used mark: a digest, so that the store never holds
// what was used.
func mark(kind string, value []byte) [32]byte {
	return sha256.Sum256(append([]byte("cloakroom used "+kind+" "), value...))
}
