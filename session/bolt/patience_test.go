package bolt_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// Changes that nobody waits for share a commit with those that come soon after
// them. Whoever does wait, and whoever has waited long enough, is not kept longer.
func TestPatience(t *testing.T) {
	const patience = 20 * time.Millisecond
	type swap struct {
		at      time.Duration
		patient bool
		took    time.Duration // want
	}
	tests := []struct {
		name    string
		swaps   []swap
		commits int
	}{
		{"one that waits", []swap{{0, false, 0}}, 1},
		{"one alone", []swap{{0, true, patience}}, 1},
		{"one after the other", []swap{{0, true, patience}, {patience / 2, true, patience / 2}, {3 * patience / 2, true, patience}}, 2},
		{"at the last moment", []swap{{0, true, patience}, {patience, true, patience}, {3 * patience, true, patience}}, 3},
		{"until somebody waits", []swap{{0, true, patience / 4}, {patience / 8, true, patience / 8}, {patience / 4, false, 0}}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubbleOf(t, bolt.Options{Patience: patience}, func(t *testing.T, f fixture, s *bolt.Store) {
				for i := range tt.swaps {
					f.create(i, filing())
				}
				before := s.Commits()
				var all sync.WaitGroup
				for i, swap := range tt.swaps {
					all.Go(func() {
						time.Sleep(swap.at)
						if swap.at == patience {
							synctest.Wait() // for the timer that ends in the same moment
						}
						began := time.Now()
						if err := s.SwapTokens(t.Context(), key(i), session.TokensUpdate{From: record(i).Version, To: record(i).Version + 1, Tokens: []byte("new"), Patient: swap.patient}); err != nil {
							t.Error(err)
						}
						if took := time.Since(began); took != swap.took {
							t.Errorf("swap %d took %v, want %v", i, took, swap.took)
						}
					})
				}
				all.Wait()
				if n := s.Commits() - before; n != tt.commits {
					t.Errorf("they took %d commits, want %d", n, tt.commits)
				}
			})
		})
	}
}
