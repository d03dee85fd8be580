package bolt_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// countedReads counts how often a file is asked for something.
type countedReads struct {
	*bytes.Reader
	n int
}

func (c *countedReads) ReadAt(b []byte, off int64) (int, error) {
	c.n++
	return c.Reader.ReadAt(b, off)
}

// fill creates n sessions as large as sessions are, the first with key(from).
func (f fixture) fill(from, n int) {
	f.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			r := session.Record{Head: make([]byte, 400), Tokens: bytes.Repeat([]byte{byte(i)}, 4200), Version: 1}
			if err := f.Create(f.Context(), key(from+i), r, filing()); err != nil {
				f.Errorf("Create: %v", err)
			}
			<-slots
		})
	}
	wg.Wait()
}

// A check reads the file in long runs, each part of it about once.
func TestCheckReadsRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	f.fill(0, 1000)
	f.wantError("Close", f.Close(), nil)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := &countedReads{Reader: bytes.NewReader(content)}
	if err := bolt.CheckPages(file, int64(len(content)), pageSize); err != nil {
		t.Fatal(err)
	}
	if pages := len(content) / pageSize; file.n > pages/20 {
		t.Errorf("%d reads of a file of %d pages, want long ones", file.n, pages)
	}
}
