package bolt

import (
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// markEvery is how often, at most, the mark is written while the store is open.
const markEvery = 5 * time.Second

// marker keeps the mark up with the commits, on a goroutine of its own: the
// writer never waits for it, and it sleeps while nothing is written.
type marker struct {
	path string
	open openFunc
	log  *slog.Logger

	id      storeID
	reached atomic.Uint64 // the last durable transaction
	wake    chan struct{} // has room for one: there is something to write
	stop    chan struct{}
	done    sync.WaitGroup

	written uint64 // the transaction in the mark; belongs to the goroutine
	note    mark   // goes into the last mark
	failing bool   // whether the log says so already; the goroutine's too
}

func newMarker(o Options, at point, written uint64) *marker {
	m := &marker{
		path: o.Path, open: o.OpenFile, log: o.Log, id: at.id, written: written,
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	m.reached.Store(at.txid)
	if written < at.txid {
		m.wake <- struct{}{}
	}
	m.done.Go(m.run)
	return m
}

// committed says that a transaction is durable. It never blocks.
func (m *marker) committed(txid uint64) {
	m.reached.Store(txid)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *marker) run() {
	for {
		select {
		case <-m.stop:
			return
		case <-m.wake:
		}
		if !m.write() {
			select { // try again, also if nothing is committed meanwhile
			case m.wake <- struct{}{}:
			default:
			}
		}
		pause := time.NewTimer(markEvery)
		select {
		case <-m.stop:
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// close ends the goroutine and writes the last mark. If whole is what the file
// looks like, the mark says so.
func (m *marker) close(whole fs.FileInfo) {
	close(m.stop)
	m.done.Wait()
	if whole != nil {
		p := point{m.id, m.reached.Load()}
		m.note, m.written = mark{p.note(whole)}, 0
	}
	m.write()
}

// write returns whether the mark is up to date. That it is not harms no session:
// only a file that is restored may then go unnoticed. So it is told, once, and
// nothing fails for it.
func (m *marker) write() bool {
	txid := m.reached.Load()
	if txid == m.written {
		return true
	}
	err := writeMark(m.path, append(mark{{m.id, txid}}, m.note...), m.open)
	switch {
	case err != nil && !m.failing:
		m.log.Error("the mark of the store can't be written: until it can, a restored file may go unnoticed", "error", err)
	case err == nil && m.failing:
		m.log.Info("the mark of the store is written again")
	}
	m.failing = err != nil
	if err == nil {
		m.written = txid
	}
	return err == nil
}
