package session

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// ticketVersion is the first byte of a marshalled ticket. A ticket of another
// version is no ticket.
const ticketVersion = 1

// ticketSize is version, secret and issue: 1 + 32 + 8 bytes.
const ticketSize = 1 + 32 + 8

// ErrTicket means that bytes are not a ticket of a version known here.
var ErrTicket = errors.New("session: not a ticket")

// Ticket is what a browser presents to resume its session: a random 256-bit
// secret, and the issue under which that secret was last handed out. The
// browser holds it sealed, in one cookie. The session's place in the store and
// the key of its tokens are both derived from the secret, so that the store
// alone opens nothing.
type Ticket struct {
	secret [32]byte
	issue  int64 // milliseconds since 1970
	key    Key   // derived from secret once, as every request asks for it
}

// newTicket is the one place where a ticket is made of its parts.
func newTicket(secret [32]byte, issue int64) Ticket {
	return Ticket{secret: secret, issue: issue, key: Key(derive(secret[:], nil, "lookup"))}
}

// NewTicket returns an unguessable ticket issued at now.
func NewTicket(now time.Time) Ticket {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails: crypto/rand ends the process instead
	return newTicket(secret, now.UnixMilli())
}

// under returns the ticket with another issue.
func (t Ticket) under(issue int64) Ticket {
	t.issue = issue
	return t
}

// Issued returns the instant, in whole milliseconds, at which this issue of the
// ticket was handed out.
func (t Ticket) Issued() time.Time { return time.UnixMilli(t.issue) }

// Key returns what a [Store] files the session under: HKDF(secret, "lookup"),
// which does not lead back to the ticket.
func (t Ticket) Key() Key { return t.key }

// MarshalBinary returns the ticket as 41 bytes: version, secret, issue. They
// are as good as the ticket and must be sealed before they leave the process.
func (t Ticket) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, ticketSize)
	b = append(b, ticketVersion)
	b = append(b, t.secret[:]...)
	return binary.BigEndian.AppendUint64(b, uint64(t.issue)), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. It returns ErrTicket for
// another length or version, and for a secret or issue of zero, which no
// NewTicket makes.
func (t *Ticket) UnmarshalBinary(b []byte) error {
	if len(b) != ticketSize || b[0] != ticketVersion {
		return ErrTicket
	}
	secret, issue := [32]byte(b[1:33]), int64(binary.BigEndian.Uint64(b[33:]))
	if secret == [32]byte{} || issue <= 0 {
		return ErrTicket
	}
	*t = newTicket(secret, issue)
	return nil
}

// Format writes "[redacted]" for every verb.
func (Ticket) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue keeps tickets out of the logs.
func (Ticket) LogValue() slog.Value { return slog.StringValue(redacted) }

// derive returns HKDF-SHA256(secret, salt, info): 32 bytes.
func (t Ticket) derive(salt []byte, info string) []byte {
	return derive(t.secret[:], salt, info)
}

// Key is what a [Store] files a session under: derived from the ticket, so that
// a stolen store presents no ticket.
type Key [32]byte

// Ref returns a short name for the session in logs and audit events: derived
// from the key, of no use to find or open anything.
func (k Key) Ref() string {
	sum := sha256.Sum256(append([]byte("cloakroom ref "), k[:]...))
	return hex.EncodeToString(sum[:6])
}

// LogValue shows a key as its Ref.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.Ref()) }

// derive returns HKDF-SHA256(secret, salt, info), 32 bytes (RFC 5869).
func derive(secret, salt []byte, info string) []byte {
	out, err := hkdf.Key(sha256.New, secret, salt, info, 32)
	if err != nil {
		panic("session: hkdf: " + err.Error()) // only for an output of over 8160 bytes
	}
	return out
}
