package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
)

// The errors of Open.
var (
	// ErrLocked means that another process has the file open.
	ErrLocked = errors.New("in use by another process: stop that one first, or give this one a file of its own")

	// ErrVersion means that the file is a sound database, but not one that this
	// version of the program knows. It has not been changed.
	ErrVersion = errors.New("unknown format: run the version of the program that wrote it, or move the file aside: users then sign in again")
)

// ErrEmpty means that there is nothing in a file that should be a store. Open
// makes a new one of it.
var ErrEmpty = errors.New("empty: there is no store in it")

// The errors of every call.
var (
	// ErrDamaged means that the file, or the part of it that was asked for, is
	// broken. It has not been changed. Other parts may still be readable.
	ErrDamaged = errors.New("damaged")

	// ErrUnknown means that a change was written, but that nobody can tell
	// whether it would survive a crash, or whether it happened at all.
	ErrUnknown = errors.New("the outcome of the change is unknown")

	// ErrClosed means that the store was closed before the call.
	ErrClosed = errors.New("the store is closed")
)

// Options says which file to open, and how.
type Options struct {
	// Path of the file. It is created if it is missing or empty, and so is its
	// directory.
	Path string

	// LockTimeout is how long to wait for a process that has the file open;
	// zero is two seconds.
	LockTimeout time.Duration

	// Patience is how long changes that nobody waits for are kept for others to go
	// with them; zero doesn't keep them.
	Patience time.Duration

	// OpenFile opens the file, and its mark to write it; nil is os.OpenFile. A
	// seam for tests.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)

	// Log is told, once, when the mark cannot be written, and when it can again;
	// nil drops it. Sessions do not depend on the mark.
	Log *slog.Logger

	// Damaged is told, once, of the first damage that is met while the store is
	// open; nil drops it. Calls that need what is damaged get ErrDamaged, the others
	// go on. It must not call the store.
	Damaged func(error)

	// Now is the clock that spaces out the writes of Ping; nil is time.Now.
	Now func() time.Time

	trust bool                    // the mark, if it says that the file is whole
	step  func(name string) error // called before a step of Open; an error ends it there
}

// Store is a [session.Store] in one file. It is safe for concurrent use.
type Store struct {
	path string
	now  func() time.Time
	wait time.Duration // Options.Patience
	db   *bbolt.DB
	file *os.File // db's own

	mu       sync.Mutex // guards closed, and calls against growing after it
	closed   bool
	calls    sync.WaitGroup // those that Close waits for
	shutdown sync.Once

	queue   chan *change  // unbuffered: taking from it is picking up
	stopped chan struct{} // closed when the writer has ended
	dead    chan struct{} // closed when bbolt's locks cannot be trusted any more
	cause   error         // of death; set before dead is closed
	die     sync.Once

	health health

	partly bool        // the leaves were not looked at when the file was last inspected
	patrol patrol      // looks at them later
	harmed atomic.Bool // some damage was met
	alarm  func(error) // is told of it

	marker   *marker
	restored *Restoration // by Open; nil if there was nothing to remove
	usage    usage        // of the pages, when the file was last inspected
}

var _ session.Store = (*Store)(nil)

// Open opens the file, creates it if need be, and checks it. A file that was
// put back loses its sessions, see [Store.Restored]. It returns an error that is
// ErrLocked, ErrVersion or ErrDamaged, or else that of the operating system; each
// names the file.
func Open(o Options) (*Store, error) {
	s, err := open(o)
	if err != nil {
		return nil, fmt.Errorf("bolt: open %q: %w", o.Path, err)
	}
	go s.write()
	if s.partly {
		s.patrol.begin(s)
	}
	return s, nil
}

// Close answers the calls in flight, then releases the file. Calls that come
// later get ErrClosed; closing again does nothing. It returns ErrDamaged if
// damage has left the file beyond closing: then only the end of the process
// releases it.
func (s *Store) Close() (err error) {
	s.shutdown.Do(func() { err = s.close() })
	return err
}

func (s *Store) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.patrol.end()
	s.calls.Wait()
	close(s.queue)

	select {
	case <-s.stopped:
	case <-s.dead:
	}
	s.marker.close(s.whole())
	if s.isDead() {
		return wrap("close", s.cause) // bbolt would wait for its own lost locks
	}
	return s.db.Close()
}

// whole returns what the file looks like if nothing speaks against it being
// sound, or else nil.
func (s *Store) whole() fs.FileInfo {
	if s.isDead() || s.harmed.Load() || s.health.get() != nil || s.file.Sync() != nil {
		return nil
	}
	info, err := s.file.Stat()
	if err != nil {
		return nil
	}
	return info
}

// harm notes that err, some damage, was met.
func (s *Store) harm(err error) {
	if s.harmed.CompareAndSwap(false, true) {
		s.alarm(err)
	}
}

// enter admits a call, which must then leave, or refuses it.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}

func (s *Store) leave() { s.calls.Done() }

// bury gives up on the file: from now on every call fails with cause, also
// those that wait.
func (s *Store) bury(cause error) {
	s.die.Do(func() {
		s.cause = cause
		close(s.dead)
	})
}

// damaged turns what was recovered from a panic into an error. bbolt prints
// whole free lists into its panics, hence the limit.
func (s *Store) damaged(p any) error {
	const limit = 200
	text := fmt.Sprint(p)
	if len(text) > limit {
		text = text[:limit] + "..."
	}
	err := fmt.Errorf("%q: %w (%s)", s.path, ErrDamaged, text)
	s.harm(err)
	return err
}
