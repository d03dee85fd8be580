package session

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

func testRing(t *testing.T) *Keyring {
	t.Helper()
	k, err := ParseKeyring([]byte(NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// J3, J7: a sealed value opens in its own place, whole, with its own ticket, and
// nowhere else.
func TestSealIsBoundToItsPlace(t *testing.T) {
	k, now := testRing(t), time.Now()
	alice, bob := NewTicket(now), NewTicket(now)
	home := slot{bucketTokens, alice.Key(), 7}
	plain := []byte("tokens of alice")
	sealed, err := k.seal(home, &alice, plain)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		keys   *Keyring
		slot   slot
		ticket Ticket
		ok     bool
	}{
		{"at home", k, home, alice, true},
		{"another session's place", k, slot{bucketTokens, bob.Key(), 7}, alice, false},
		{"another ticket", k, home, bob, false},
		{"another session altogether", k, slot{bucketTokens, bob.Key(), 7}, bob, false},
		{"another version", k, slot{bucketTokens, alice.Key(), 8}, alice, false},
		{"as a head", k, slot{bucketHead, alice.Key(), 7}, alice, false},
		{"another server", testRing(t), home, alice, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.keys.open(tt.slot, &tt.ticket, sealed)
			if tt.ok != (err == nil) || tt.ok != bytes.Equal(got, plain) || err != nil && !errors.Is(err, errSealed) {
				t.Errorf("open: got %q, %v, want ok: %v", got, err, tt.ok)
			}
		})
	}
	for i := range sealed {
		for bit := range 8 {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1 << bit
			if _, err := k.open(home, &alice, damaged); !errors.Is(err, errSealed) {
				t.Errorf("bit %d of byte %d flipped: got %v, want errSealed", bit, i, err)
			}
		}
	}
	for i := range sealed {
		if _, err := k.open(home, &alice, sealed[:i]); !errors.Is(err, errSealed) {
			t.Errorf("cut to %d bytes: got %v, want errSealed", i, err)
		}
	}
}

// J9: the server's keys alone open no tokens: the ticket's secret is needed.
func TestTokensNeedTheTicket(t *testing.T) {
	k, ticket := testRing(t), NewTicket(time.Now())
	home := slot{bucketTokens, ticket.Key(), 1}
	sealed, err := k.seal(home, &ticket, []byte("tokens"))
	if err != nil {
		t.Fatal(err)
	}
	// What a thief of file and keys has: the key it is filed under, nothing else.
	thief := Ticket{secret: [32]byte(ticket.Key()), issue: 1}
	for _, attempt := range []*Ticket{&thief, {}} {
		if _, err := k.open(home, attempt, sealed); err == nil {
			t.Error("tokens opened without the ticket")
		}
	}
	if got, err := k.open(home, &ticket, sealed); err != nil || string(got) != "tokens" {
		t.Errorf("with the ticket: got %q, %v", got, err)
	}
}

// J2: no nonce twice, though the same value is sealed over and over.
func TestNoncesAreUnique(t *testing.T) {
	k, ticket := testRing(t), NewTicket(time.Now())
	seen := map[string]bool{}
	for range 10_000 {
		sealed, err := k.seal(slot{bucketHead, ticket.Key(), 0}, nil, []byte("head"))
		if err != nil {
			t.Fatal(err)
		}
		if nonce := string(sealed[9:21]); seen[nonce] {
			t.Fatal("nonce used twice")
		} else {
			seen[nonce] = true
		}
	}
}

// Records come back as they were, to the millisecond.
func TestRecordRoundTrip(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_123).UTC()
	who := Identity{"main", "https://id.test", "spa", "alice", "sid"}
	c := content{
		Tokens: Tokens{"access", "refresh", "id", "openid", now, now.Add(time.Minute), now.Add(time.Hour)},
		Claims: []byte(`{"name":"Alice"}`), ACR: "gold", AuthTime: now.Add(-time.Minute),
		Intent: &intent{2, "digest", now},
	}
	b, err := c.marshal(who)
	if err != nil {
		t.Fatal(err)
	}
	got, gotWho, err := unmarshalContent(b)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := got.marshal(gotWho)
	if !bytes.Equal(again, b) || got.Tokens != c.Tokens || gotWho != who || *got.Intent != *c.Intent {
		t.Errorf("got %s, want %s", again, b)
	}
	h := head{
		Identity: who, Started: now, Seen: now.Add(time.Minute), Ends: now.Add(time.Hour),
		Origin: origin{newCommon("Browser/1"), "192.0.2.0/24"},
		Issues: lineage{confirmed: 3, confirmedAt: 4, before: 2, void: 5, open: []issue{{made: 4, parent: 3}, {made: 6}}},
	}
	b, err = h.marshal()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unmarshalHead(b); err != nil || !reflect.DeepEqual(got, h) {
		t.Errorf("got %v, %v, want %v", got, err, h)
	}
}

// FuzzRecords: whatever is found under a seal, decoding it never panics.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"p":"main","iss":"i","sub":"s","st":1}`))
	f.Add([]byte(`{"at":"a","ob":1,"ex":2,"in":{"n":9}}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := unmarshalHead(b); err == nil && (h.Subject == "" || h.Issuer == "") {
			t.Error("a head without a user")
		}
		_, _, _ = unmarshalContent(b)
	})
}
