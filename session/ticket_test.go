package session_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E4: tickets are unguessable and unique, and so are the keys derived from them.
func TestTicketsAreUnique(t *testing.T) {
	now, seen := time.Now(), map[session.Key]bool{}
	for range 10_000 {
		ticket := session.NewTicket(now)
		if seen[ticket.Key()] {
			t.Fatal("two tickets with one key")
		}
		seen[ticket.Key()] = true
	}
}

func TestTicketRoundTrip(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_123)
	ticket := session.NewTicket(now)
	b, err := ticket.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var got session.Ticket
	if err := got.UnmarshalBinary(b); err != nil || got != ticket || !got.Issued().Equal(now) {
		t.Errorf("got %v, issued %v", err, got.Issued())
	}
}

// FuzzTicket: bytes are a ticket, which marshals to the same bytes, or refused.
func FuzzTicket(f *testing.F) {
	good, _ := session.NewTicket(time.Now()).MarshalBinary()
	f.Add(good)
	f.Add([]byte{})
	f.Add(good[:40])
	f.Add(append([]byte{2}, good[1:]...))
	f.Add(make([]byte, 41))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ticket session.Ticket
		err := ticket.UnmarshalBinary(b)
		if err != nil {
			if !errors.Is(err, session.ErrTicket) || ticket != (session.Ticket{}) {
				t.Errorf("got %v, and a ticket", err)
			}
			return
		}
		again, _ := ticket.MarshalBinary()
		if string(again) != string(b) {
			t.Errorf("got %x, want %x", again, b)
		}
	})
}

// N1: nothing secret prints, however it is asked to.
func TestSecretsDoNotPrint(t *testing.T) {
	secret := session.Secret("canary-secret")
	line := session.NewKey()
	keys := keyring(t, line)
	key, _ := base64.StdEncoding.DecodeString(line)
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	r := newRoom(t)
	in := r.provider.signIn("alice")
	in.Tokens.Access = secret
	ticket, err := r.Start(t.Context(), in, nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := ticket.MarshalBinary()
	for _, v := range []any{secret, ticket, keys, &secret, &ticket, *keys, in, r.resume(ticket),
		session.Tokens{Access: secret, Refresh: secret, ID: secret}, []session.Secret{secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		logger.Info("value", "v", v)
		b, _ := json.Marshal(v)
		log.Write(b)
	}
	for _, bad := range []string{"canary-secret", fmt.Sprintf("%x", "canary-secret"), line,
		fmt.Sprintf("%x", raw[1:33]), fmt.Sprintf("%X", raw[1:33]), fmt.Sprint(raw[1:33]), fmt.Sprint(key), fmt.Sprintf("%x", key),
		fmt.Sprintf("%#v", raw[1:33]), strings.Trim(fmt.Sprint(raw[1:9]), "[]"), strings.Trim(fmt.Sprint(key[:8]), "[]")} {
		if strings.Contains(log.String(), bad) {
			t.Errorf("printed: %s", bad)
		}
	}
}

// J6: a key file with anything weak or odd in it is refused, by line, without
// showing it.
func TestParseKeyring(t *testing.T) {
	good, other := session.NewKey(), session.NewKey()
	zero := base64.StdEncoding.EncodeToString(make([]byte, 32))
	short := base64.StdEncoding.EncodeToString([]byte("sixteen bytes ok"))
	tests := []struct {
		name, file string
		keys       int
		want       string
	}{
		{"one key", good, 1, ""},
		{"two keys, comments, blank lines", "# newest\n\n" + good + "\r\n  " + other + "\n", 2, ""},
		{"empty", "\n# nothing\n", 0, "there is no key"},
		{"short", good + "\n" + short, 0, "line 2: a key has 32 bytes, this has 16"},
		{"not base64", "hunter2 hunter2", 0, "line 1: not base64"},
		{"zero", zero, 0, "line 1: all bytes are equal"},
		{"twice", good + "\n" + good, 0, "line 2: the same key stands above"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			k, err := session.ParseKeyring([]byte(tt.file))
			if tt.want == "" {
				if err != nil || k.Len() != tt.keys {
					t.Errorf("got %v, want %d keys", err, tt.keys)
				}
				return
			}
			if !errors.Is(err, session.ErrKeys) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Error("the error shows the line")
			}
		})
	}
}
