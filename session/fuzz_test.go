package session

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"
)

// FuzzHead: a head that is read says who, and is written as it was read.
func FuzzHead(f *testing.F) {
	f.Add([]byte(`{"p":"main","iss":"i","sub":"s","st":1,"ci":5,"ca":6,"be":2,"vo":7,"op":[[6,5],[9,0]]}`))
	f.Add([]byte(`{"p":"main","iss":"i","sub":"s","st":1,"op":[[9,1],[2,3],[9,9],[-1]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := unmarshalHead(b)
		if err != nil {
			return
		}
		if h.Provider == "" || h.Issuer == "" || h.Subject == "" || h.Issues.confirmed == 0 {
			t.Errorf("read %+v", h)
		}
		same(t, h.marshal, func(b []byte) ([]byte, error) {
			h, err := unmarshalHead(b)
			if err != nil {
				return nil, err
			}
			return h.marshal()
		})
	})
}

// FuzzContent: tokens that are read are written as they were read.
func FuzzContent(f *testing.F) {
	f.Add([]byte(`{"p":"main","at":"a","rt":"r","ob":1,"ex":2,"in":{"n":9,"h":"x","t":"2026-01-01T00:00:00Z"},"cl":{"a":1}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, who, err := unmarshalContent(b)
		if err != nil {
			return
		}
		same(t, func() ([]byte, error) { return c.marshal(who) }, func(b []byte) ([]byte, error) {
			c, who, err := unmarshalContent(b)
			if err != nil {
				return nil, err
			}
			return c.marshal(who)
		})
	})
}

// FuzzRevocation: a revocation that is read is written as it was read.
func FuzzRevocation(f *testing.F) {
	f.Add([]byte(`{"p":"main","iss":"i","c":"spa","sub":"s","rt":"r","cr":1,"un":2,"n":3,"ref":"x"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := unmarshalRevocation(b)
		if err != nil {
			return
		}
		same(t, r.marshal, func(b []byte) ([]byte, error) {
			r, err := unmarshalRevocation(b)
			if err != nil {
				return nil, err
			}
			return r.marshal()
		})
	})
}

// same checks that what marshal writes comes back the same.
func same(t *testing.T, marshal func() ([]byte, error), again func([]byte) ([]byte, error)) {
	t.Helper()
	b, err := marshal()
	if err != nil {
		return // a time that JSON can't write
	}
	got, err := again(b)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("written %s, read and written again %s, %v", b, got, err)
	}
}

// FuzzSealed: nothing opens but what was sealed, in its own place.
func FuzzSealed(f *testing.F) {
	k, err := ParseKeyring([]byte(NewKey()))
	if err != nil {
		f.Fatal(err)
	}
	ticket := NewTicket(time.Now())
	at := slot{bucketHead, ticket.Key(), 0}
	sealed, err := k.seal(at, nil, []byte("head"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed, 0, byte(0))
	f.Add(sealed[:9], 3, byte(1))
	f.Add([]byte{}, 0, byte(0))
	f.Fuzz(func(t *testing.T, b []byte, place int, change byte) {
		changed := slices.Clone(sealed)
		changed[uint(place)%uint(len(changed))] ^= change
		for _, b := range [][]byte{b, changed} {
			for _, bucket := range []string{bucketHead, bucketTokens, bucketRevocation} {
				plain, err := k.open(slot{bucket, at.key, 0}, &ticket, b)
				if err == nil && (bucket != bucketHead || !bytes.Equal(b, sealed) || string(plain) != "head") {
					t.Errorf("%x opens as a %s", b, bucket)
				}
			}
		}
	})
}

// FuzzLineage: whatever order issues are presented and made in, what is
// remembered of them stays bounded and in order, a confirmation is never taken
// back, and no issue is handed out twice.
func FuzzLineage(f *testing.F) {
	f.Add([]byte{0, 200, 1, 70, 2, 70, 3, 0, 0x80, 90, 4, 4, 0x40, 30, 1, 9, 9, 9})
	f.Add(bytes.Repeat([]byte{0, 11}, 60))
	f.Add(slices.Concat( // somebody takes more than is remembered, and then comes with what was dropped
		[]byte{0, 200, 0, 200}, bytes.Repeat([]byte{0, 11}, 10), bytes.Repeat([]byte{0, 1}, 10), []byte{12, 1, 11, 1, 13, 1, 14, 1, 12, 70}))
	f.Add(bytes.Repeat([]byte{0x80, 61, 1, 31}, 60))
	f.Fuzz(func(t *testing.T, b []byte) {
		const start = int64(1_000_000)
		l := lineage{confirmed: start, confirmedAt: start}
		all, now := []int64{start}, start
		for i := 0; i+1 < len(b); i += 2 {
			now += int64(b[i+1]) * 1000
			n, before := all[int(b[i]&0x3f)%len(all)], l.confirmed
			switch {
			case b[i]&0x80 != 0: // from the store
				h := head{Identity: Identity{Provider: "p", Issuer: "i", Subject: "s"}, Started: time.UnixMilli(start), Issues: l}
				plain, err := h.marshal()
				if err != nil {
					t.Fatal(err)
				}
				if h, err = unmarshalHead(plain); err != nil {
					t.Fatal(err)
				}
				l = h.Issues
			case b[i]&0x40 != 0:
				now -= int64(b[i+1]) * 1500 // the clock goes back
			}
			v := l.present(n, now, retireAfter)
			if v != late && v != replay && l.due(n, now, 5*time.Minute) {
				made := l.make(n, now)
				if made <= slices.Max(all) {
					t.Fatalf("handed out %d after %d", made, slices.Max(all))
				}
				all = append(all, made)
			}
			l.check(t, before)
		}
	})
}

func (l *lineage) check(t *testing.T, before int64) {
	t.Helper()
	if l.confirmed < before {
		t.Fatalf("%d is confirmed after %d", l.confirmed, before)
	}
	if len(l.open) > maxOpen {
		t.Fatalf("%d issues are open", len(l.open))
	}
	last := l.confirmed
	for _, i := range l.open {
		if i.made <= last || i.parent >= i.made {
			t.Fatalf("out of order: %+v", *l)
		}
		last = i.made
	}
	if l.due(last+1, math.MaxInt64/4, time.Minute) {
		t.Fatal("an issue that nobody made gets another")
	}
}
