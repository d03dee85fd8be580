package http1_test

import (
	"io"
	"testing"
)

// One GET over a kept connection costs so many allocations, most of them the answer
// and its fields.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	const budget = 9
	u, tr := newUpstream(t), newTransport(t)
	go func() {
		p := <-u.conns
		answer, buf := []byte(okAnswer), make([]byte, 4<<10)
		for {
			if _, err := p.Read(buf); err != nil {
				return
			}
			if _, err := p.Write(answer); err != nil {
				return
			}
		}
	}()
	r := u.request("GET", "/", nil)
	r.Header.Set("Accept", "application/json")
	buf := make([]byte, 64)
	got := testing.AllocsPerRun(200, func() {
		res, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := res.Body.Read(buf); err != io.EOF {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	})
	if t.Logf("%.0f allocations", got); got > budget {
		t.Errorf("got %.0f allocations, want at most %d", got, budget)
	}
	u.connections(1)
}
