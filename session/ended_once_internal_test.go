package session

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// N3: several Sessions of one ticket may be at hand for a moment. Whatever is known
// of the end when they are found, one of them at most does what is left to do.
func TestEndIsDoneOnce(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name        string
		known       *burial
		first, told bool
	}{
		{"nothing", nil, true, false},
		{"that it is over", &burial{at: now}, true, false},
		{"that it was told", &burial{at: now, told: true}, true, true},
		{"that the tokens were dealt with", &burial{at: now, emptied: true}, false, false},
		{"everything", &burial{at: now, emptied: true, told: true}, false, false},
		{"a deletion to be written", &burial{at: now, emptied: true, told: true, pending: true}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewManager(Config{})
			ticket := NewTicket(now)
			if tt.known != nil {
				m.ended.Store(ticket.Key(), tt.known)
			}
			for i := range 3 {
				s := m.newSession(ticket, head{Started: now, Seen: now})
				m.open.Store(s.key, s)
				first, told := m.bury(s, ReasonLogout)
				if want := tt.first && i == 0; first != want || first && told != tt.told {
					t.Errorf("%d: got %v, told %v", i, first, told)
				}
				if _, found := m.open.Load(s.key); found || !s.over.Load() {
					t.Error("it goes on")
				}
			}
			v, _ := m.ended.Load(ticket.Key())
			if b := v.(*burial); tt.known != nil && (b.pending != tt.known.pending || !tt.first && b.told != tt.known.told) {
				t.Errorf("known afterwards: %+v", b)
			}
		})
	}
}

// N3, E11: whoever ends a session by its key and finds it in memory just because a
// call is loading what was over before, ends and tells of nothing.
func TestEndByKeyOfWhatIsLoading(t *testing.T) {
	now := time.Now()
	told := 0
	m := NewManager(Config{Log: slog.New(counter{slog.DiscardHandler, &told})})
	ticket := NewTicket(now)
	m.ended.Store(ticket.Key(), &burial{at: now, emptied: true, told: true})
	s := m.newSession(ticket, head{Started: now, Seen: now})
	s.loading.Store(true)
	m.open.Store(s.key, s)
	if err := m.EndByKey(context.Background(), s.key, ReasonOperator); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if told != 0 {
		t.Errorf("told %d times", told)
	}
}

type counter struct {
	slog.Handler
	n *int
}

func (c counter) Enabled(context.Context, slog.Level) bool { return true }

func (c counter) Handle(context.Context, slog.Record) error {
	*c.n++
	return nil
}
