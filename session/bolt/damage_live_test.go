package bolt_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/session/bolt"
)

// The file is damaged under a running store, while calls are in flight. They
// may all fail, but none may hang, and nothing may crash.
func TestDamagedWhileRunning(t *testing.T) {
	p := populate(t)
	rnd := rand.New(rand.NewPCG(5, 5))
	garbage := make([]byte, len(p.content))
	for i := range garbage {
		garbage[i] = byte(rnd.Uint32())
	}
	writeAt := func(b []byte, from int64) func(*os.File) error {
		return func(f *os.File) error { _, err := f.WriteAt(b, from); return err }
	}
	tests := []struct {
		name   string
		damage func(f *os.File) error
	}{
		{"cut to nothing", func(f *os.File) error { return f.Truncate(0) }},
		{"cut to the meta pages", func(f *os.File) error { return f.Truncate(2 * pageSize) }},
		{"cut in half", func(f *os.File) error { return f.Truncate(int64(len(p.content)) / 2) }},
		{"zeroed", writeAt(make([]byte, len(p.content)), 0)},
		{"zeroed but for the meta pages", writeAt(make([]byte, len(p.content)-2*pageSize), 2*pageSize)},
		{"overwritten", writeAt(garbage, 0)},
		{"overwritten but for the meta pages", writeAt(garbage[2*pageSize:], 2*pageSize)},
		{"first meta page gone", writeAt(garbage[:pageSize], 0)},
		{"second meta page gone", writeAt(garbage[:pageSize], pageSize)},
		{"both meta pages gone", writeAt(garbage[:2*pageSize], 0)},
		{"second half zeroed", writeAt(make([]byte, len(p.content)/2), int64(len(p.content)/2))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			p.place(t, path, p.content)
			s, err := bolt.Open(bolt.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			finishes(t, "calls", func() {
				var wg sync.WaitGroup
				for range 4 {
					wg.Go(func() { p.loadAndUse(t.Context(), s) })
				}
				wg.Go(func() {
					f, err := os.OpenFile(path, os.O_RDWR, 0)
					if err != nil {
						t.Error(err)
						return
					}
					if err := tt.damage(f); err != nil {
						t.Error(err)
					}
					_ = f.Close()
				})
				wg.Wait()
				p.loadAndUse(t.Context(), s)
			})
			finishes(t, "Close", func() { _ = s.Close() })
		})
	}
}

func (p populated) loadAndUse(ctx context.Context, s *bolt.Store) {
	for _, k := range p.keys {
		_, _ = s.Load(ctx, k)
	}
	p.use(ctx, s)
}
