package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const (
	lookEvery    = 2 * time.Second  // the key file is looked at
	applyTimeout = 10 * time.Second // for the store to note which key seals
)

// keyWatch keeps the keys of a running server those of the key file. It is for
// one goroutine.
type keyWatch struct {
	app   *app
	ids   []string    // of the keys in use, newest first
	done  os.FileInfo // the file as it was when last read; nil: never, or not there
	seen  os.FileInfo // as it was at the last look
	wrong string      // what was reported last; empty: the file is good
}

// watchKeys returns a watch for a server that was just wired with ids.
func (a *app) watchKeys(ids []string) *keyWatch { return &keyWatch{app: a, ids: ids} }

// run looks at the file at each tick, and reads it at each SIGHUP, until ctx
// ends.
func (w *keyWatch) run(ctx context.Context, tick <-chan time.Time, hup <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			w.look(ctx)
		case <-hup:
			w.app.log.Info("SIGHUP: reading the keys again; every other option needs a restart")
			w.asked(ctx)
		}
	}
}

// look reads the file if it has changed, once it has stayed the same from one
// look to the next: an editor may write it in pieces, and half a key file is a
// valid one that lacks keys.
func (w *keyWatch) look(ctx context.Context) {
	info, err := os.Stat(w.app.cfg.KeysFile)
	if err != nil {
		info = nil
	}
	settled := sameFile(info, w.seen)
	w.seen = info
	if settled && (info == nil && w.wrong == "" || !sameFile(info, w.done)) {
		w.read(ctx)
	}
}

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// asked reads the file and says what came of it, whatever was said before.
func (w *keyWatch) asked(ctx context.Context) {
	ids, wrong := w.ids, w.wrong
	w.wrong = ""
	w.read(ctx)
	if w.wrong == "" && wrong == "" && slices.Equal(w.ids, ids) {
		w.app.log.Info("keys_file holds the keys that the server has: nothing changed")
	}
	if w.wrong == "" && wrong != "" {
		w.app.log.Info(goodAgain)
	}
}

const goodAgain = "keys_file is good again"

// read makes the keys in the file those of the server. A file that can't be used
// changes nothing, and is reported once.
func (w *keyWatch) read(ctx context.Context) {
	// Taken before reading: a change after it is found at the next look.
	w.done, _ = os.Stat(w.app.cfg.KeysFile)
	if err := w.apply(ctx); err != nil {
		w.app.metrics.keysValid.Set(0)
		if err.Error() != w.wrong {
			w.wrong = err.Error()
			w.app.log.Error("keys_file can't be used as it is now; the keys read before serve on, but a restart would fail", "error", err)
		}
		var passing *session.Unavailable
		if errors.As(err, &passing) {
			w.done = nil // the next look tries again
		}
		return
	}
	if w.wrong != "" {
		w.app.log.Info(goodAgain)
	}
	w.wrong = ""
	w.app.metrics.keysValid.Set(1)
}

func (w *keyWatch) apply(ctx context.Context) error {
	ring, err := readKeyring(w.app.cfg.KeysFile)
	if err != nil {
		return err
	}
	ids := ring.IDs()
	if slices.Equal(ids, w.ids) {
		return nil
	}
	// The sessions go first: they refuse a ring that would end them all. A stop
	// does not cut it off half done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), applyTimeout)
	defer cancel()
	err = w.app.manager.SetKeys(ctx, ring)
	if errors.Is(err, session.ErrWrongKeys) {
		return fmt.Errorf("the key that seals now (%s) is missing; put it back, and new keys before it", shortID(w.ids[0]))
	}
	if err != nil {
		return err
	}
	w.app.web.SetKeys(ring)
	added, removed := missingFrom(w.ids, ids), missingFrom(ids, w.ids)
	w.ids = ids
	session.Audit(ctx, w.app.log, session.EventKeys, slog.Int("keys", len(ids)),
		slog.Int("added", len(added)), slog.Int("removed", len(removed)), slog.String("seals", shortID(ids[0])))
	if len(removed) > 0 {
		w.warnOfLoss(ctx)
	}
	return nil
}

// warnOfLoss says so if a key went that still sealed something: putting it back
// in time keeps those users signed in.
func (w *keyWatch) warnOfLoss(ctx context.Context) {
	uses, err := w.app.manager.Inventory(ctx)
	if err != nil {
		w.app.log.Error("what the removed keys sealed can't be counted", "error", err)
	}
	for _, u := range uses {
		if u.Missing {
			w.app.log.Warn("a key was removed too early: what it sealed does not open any more; put its line back to undo that",
				"key", shortID(u.ID), "sessions", u.Heads, "tokens", u.Tokens, "revocations", u.Revocations)
		}
	}
}

// missingFrom returns those of all that are not in some.
func missingFrom(some, all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(id string) bool { return slices.Contains(some, id) })
}

// shortID is how a key is named to people.
func shortID(id string) string { return id[:min(8, len(id))] }
