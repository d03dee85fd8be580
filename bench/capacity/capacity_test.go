package main

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

func TestLatencies(t *testing.T) {
	var hundred latencies
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	tests := []struct {
		name string
		in   latencies
		q    float64
		want time.Duration
	}{
		{"none", nil, 0.5, 0},
		{"one", latencies{7}, 0.99, 7},
		{"the middle of three", latencies{3, 1, 2}, 0.5, 2},
		{"median", hundred, 0.5, 50},
		{"p99", hundred, 0.99, 99},
		{"longest", hundred, 1, 100},
		{"shortest", hundred, 0, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.in.at(tt.q); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestCount(t *testing.T) {
	for in, want := range map[int]string{999: "999", 1000: "1k", 1500: "1500", 100_000: "100k", 1_000_000: "1M", 1_001_000: "1001k"} {
		if got := count(in); got != want {
			t.Errorf("%d: got %q, want %q", in, got, want)
		}
	}
}

// A section that is measured again takes its own place, and no other's.
// A quick run shows that all works, and leaves the page of a whole one alone.
func TestWhatIsWritten(t *testing.T) {
	defer func(all []part) { parts = all }(parts)
	parts = []part{{"one", "One", func(b *bench) (string, error) { return b.plot("one", stand.Plot{}) }}}
	for _, tt := range []struct {
		name string
		b    bench
		want []string
	}{
		{"whole", bench{}, []string{"bench/results/capacity-one.svg", "bench/results/capacity.md"}},
		{"quick", bench{quick: true}, nil},
		{"quick, with a place to write to", bench{quick: true, out: "here"}, []string{"here/capacity-one.svg", "here/capacity.md"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := tt.b.run(""); err != nil {
				t.Fatal(err)
			}
			var got []string
			err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					got = append(got, path)
				}
				return err
			})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("written were %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	if err := (&bench{}).run("one,nope"); err == nil {
		t.Error("an unknown section is no error")
	}
}

func TestWriteKeepsTheOtherSections(t *testing.T) {
	b := &bench{out: t.TempDir()}
	for _, s := range [][2]string{{"start", "## old start\n"}, {"rates", "## rates\n\n| a |\n"}, {"start", "## start\n"}} {
		if err := b.write(s[0], s[1]); err != nil {
			t.Fatal(err)
		}
	}
	got, err := b.read()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"rates": "## rates\n\n| a |\n\n", "start": "## start\n"}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestJudge(t *testing.T) {
	began := time.Now()
	var results []result
	call := func(second float64, took time.Duration) {
		results = append(results, result{Due: began.Add(time.Duration(second * float64(time.Second))), Took: took})
	}
	call(0, 100) // of the round before
	call(1, 1)
	call(2, 2)
	call(3, 5) // the first renewal
	call(3.5, 6)
	call(4.2, 9)
	call(5, 3)   // the last one
	call(6, 100) // peace again
	peace, renewing, worst := judge(results, began.Add(time.Second), began.Add(3*time.Second), began.Add(5*time.Second))
	if len(peace.took) != 2 || peace.took.at(1) != 2 {
		t.Errorf("peace: got %v, want 1 and 2", peace.took)
	}
	if len(renewing.took) != 4 || renewing.took.at(1) != 9 || renewing.took.at(0) != 3 {
		t.Errorf("renewing: got %v, want 5, 6, 9 and 3", renewing.took)
	}
	if len(worst.took) != 1 || worst.took.at(1) != 9 {
		t.Errorf("the worst second: got %v, want 9", worst.took)
	}
}

// One renewal per session: neither the same token twice nor, in the same round,
// its successor (D4).
func TestOnceEach(t *testing.T) {
	use := func(token, next string) demo.Call { return demo.Call{TokenHash: token, ReplacedBy: next} }
	tests := []struct {
		name       string
		calls      []demo.Call
		once, more int
	}{
		{"none", nil, 0, 0},
		{"each once", []demo.Call{use("a", "a2"), use("b", "b2")}, 2, 0},
		{"one token twice", []demo.Call{use("a", "a2"), use("a", ""), use("b", "b2")}, 1, 1},
		{"its successor too", []demo.Call{use("a", "a2"), use("b", "b2"), use("a2", "a3"), use("a3", "a4")}, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if once, more := onceEach(tt.calls); once != tt.once || more != tt.more {
				t.Errorf("got %d and %d, want %d and %d", once, more, tt.once, tt.more)
			}
		})
	}
}

// The number of commits is read from the file beside the store that has it open.
func TestCommits(t *testing.T) {
	h, err := openHouse(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.store.Close() }()
	m, err := h.manager()
	if err != nil {
		t.Fatal(err)
	}
	before, err := commits(h.path())
	if err != nil {
		t.Fatal(err)
	}
	var ticket session.Ticket
	for range 3 {
		if ticket, err = m.Start(context.Background(), signIn(time.Nanosecond), nil); err != nil {
			t.Fatal(err)
		}
	}
	s, err := m.Resume(context.Background(), ticket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Access(context.Background()); err != nil { // intent and new tokens
		t.Fatal(err)
	}
	after, err := commits(h.path())
	if err != nil {
		t.Fatal(err)
	}
	if after-before != 5 {
		t.Errorf("three sign-ins and a renewal: got %d commits, want 5", after-before)
	}
}
