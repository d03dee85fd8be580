package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

type keysListCmd struct{ configFlag }

// Run asks the running server, or looks into the store itself if there is none.
func (k *keysListCmd) Run(env *environment) error {
	cfg, err := loadLocal(k.Config, env.getenv, localKeys...)
	if err != nil {
		return err
	}
	var found keyInventory
	client := newAdminClient(cfg)
	err = client.get(env.ctx, "/keys", &found)
	running := !errors.Is(err, errNotRunning)
	if !running {
		found, err = keysOffline(env.ctx, cfg)
		err = client.unanswered(err)
	}
	if err != nil {
		return err
	}
	printKeys(env, found, time.Now())
	if running {
		noteChange(env, cfg, found)
	}
	return nil
}

// keysOffline makes the inventory from the files, as a start would find them. It
// changes no session: a store from which a start would remove them all is refused.
func keysOffline(ctx context.Context, cfg *Config) (keyInventory, error) {
	ring, err := readKeyring(cfg.KeysFile)
	if lost := keysLost(cfg, err); lost != nil {
		return keyInventory{}, lost
	}
	if errors.Is(err, os.ErrNotExist) {
		return keyInventory{}, hinted{fmt.Errorf("there is no key file %s", cfg.KeysFile), "the first start makes it; or: cloakroom keys new " + cfg.KeysFile}
	}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		err = hintStore(fmt.Errorf("%s: %w", cfg.KeysFile, err))
	}
	if err != nil {
		return keyInventory{}, err
	}
	path := cfg.Store.Bolt.Path
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return unusedKeys(cfg, ring), nil // opening it would make it
	}
	uses, report, err := inventory(ctx, cfg, ring)
	switch {
	case err != nil && !errors.Is(err, session.ErrWrongKeys):
		return keyInventory{}, hintStore(err)
	case report.Restored != "":
		return keyInventory{}, hintStore(fmt.Errorf("%s: %w (%s)", path, bolt.ErrRestored, report.Restored))
	case err != nil:
		return keyInventory{}, wrongKeys(cfg)
	}
	return keyInventory{Absolute: cfg.Session.Absolute, Keys: uses}, nil
}

// inventory reads what each key seals out of the store's file, and leaves that
// as it is: opening a store that was put back would drop its sessions, for good.
// The error is session.ErrWrongKeys, or one of bolt's.
func inventory(ctx context.Context, cfg *Config, ring *session.Keyring) (uses []session.KeyUse, report bolt.Report, err error) {
	report, err = bolt.Examine(cfg.Store.Bolt.Path, func(store session.Store) (err error) {
		m := session.NewManager(session.Config{
			Store: store, Keys: ring, Limits: session.Limits{Absolute: cfg.Session.Absolute}, Log: slog.New(slog.DiscardHandler),
		})
		uses, err = m.Inventory(ctx)
		return err
	})
	return uses, report, err
}

// unusedKeys is the inventory of a ring without a store.
func unusedKeys(cfg *Config, ring *session.Keyring) keyInventory {
	out := keyInventory{Absolute: cfg.Session.Absolute}
	for i, id := range ring.IDs() {
		out.Keys = append(out.Keys, session.KeyUse{ID: id, Seals: i == 0})
	}
	return out
}

func printKeys(env *environment, found keyInventory, now time.Time) {
	t := tabwriter.NewWriter(env.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "KEY\tHEADS\tTOKENS\tREVOCATIONS\tSEALED UNTIL\tMAY GO")
	for _, u := range found.Keys {
		until := "-"
		switch {
		case u.Seals:
			until = "now"
		case !u.Retired.IsZero():
			until = moment(u.Retired)
		}
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%s\t%s\n", shortID(u.ID), u.Heads, u.Tokens, u.Revocations, until, mayGo(u, found.Absolute, now))
	}
	_ = t.Flush()
}

// mayGo says whether the line of u's key may be taken out of the key file: when
// nothing carries it any more, and every cookie that it sealed has run out.
func mayGo(u session.KeyUse, absolute time.Duration, now time.Time) string {
	carried := u.Heads + u.Tokens + u.Revocations
	from, known := u.MayGo(absolute)
	switch {
	case u.Missing:
		return "it is not in keys_file: what it sealed does not open"
	case u.Seals:
		return "no: it seals"
	case !known && carried > 0:
		return "not yet: " + strconv.Itoa(carried) + " sealed, since when it does not seal is not known"
	case !known:
		return "yes, unless it is to seal soon: it never did here"
	case now.Before(from):
		return "not before " + moment(from)
	case carried > 0:
		return "not yet: " + strconv.Itoa(carried) + " sealed"
	}
	return "yes"
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// noteChange says so if the server does not have the keys that are in the file
// now, as far as the file may be read here.
func noteChange(env *environment, cfg *Config, found keyInventory) {
	ring, err := readKeyring(cfg.KeysFile)
	if errors.Is(err, os.ErrPermission) {
		return
	}
	var ids []string
	for _, u := range found.Keys {
		if !u.Missing {
			ids = append(ids, u.ID)
		}
	}
	switch {
	case err != nil:
		env.note("keys_file can't be used as it is now, and the server goes on without it: %v", err)
	case !slices.Equal(ids, ring.IDs()):
		env.note("keys_file holds other keys than the server has: it reads them within seconds; if this stays, its log says why it refuses them")
	}
}
