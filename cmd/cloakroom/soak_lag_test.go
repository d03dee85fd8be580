package main_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// lags is when this machine made a write to the disk wait, for the processor or
// for the disk: a commit at the same time waited too.
type lags struct {
	mu   sync.Mutex
	long []span // guarded by mu
}

const (
	lagEvery = 25 * time.Millisecond
	lagLeast = 50 * time.Millisecond // what is remembered
)

// watchLags writes to a file in dir all the time until the test ends.
func watchLags(t *testing.T, dir string) *lags {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "lag"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lags{}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		timer := time.NewTimer(lagEvery)
		defer timer.Stop()
		for {
			due := time.Now().Add(lagEvery)
			timer.Reset(lagEvery)
			select {
			case <-stop:
				return
			case <-timer.C:
			}
			_, err := file.WriteAt(make([]byte, 4096), 0)
			if err == nil {
				err = file.Sync()
			}
			if err != nil {
				t.Errorf("the disk: %v", err)
				return
			}
			l.note(span{due, time.Now()})
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped; _ = file.Close() })
	return l
}

func (l *lags) note(s span) {
	if s.to.Sub(s.from) < lagLeast {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.long = append(l.long, s)
}

// worst is the longest that a write waited during s.
func (l *lags) worst(s span) (most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lag := range l.long {
		if lag.touches(s) {
			most = max(most, lag.to.Sub(lag.from))
		}
	}
	return most
}
