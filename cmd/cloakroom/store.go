package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cloakroom/cloakroom/session/bolt"
)

type storeCmd struct {
	Check   storeCheckCmd   `cmd:"" help:"Read everything in the store's file and say whether it is sound. Cloakroom may run."`
	Compact storeCompactCmd `cmd:"" help:"Write the store's file anew, so that deleted sessions are gone from the disk. Cloakroom must be stopped."`
	Backup  storeBackupCmd  `cmd:"" help:"Write a copy of the store, sealed as it is, to a new file. Cloakroom may run."`
	Restore storeRestoreCmd `cmd:"" help:"Put a backup in the store's place, without its sessions. Cloakroom must be stopped."`
}

// stopFirst is what to do when the file is open elsewhere.
const stopFirst = "stop Cloakroom first; while it runs there are: cloakroom store check, cloakroom store backup FILE"

// remedy is what to do about a damaged store.
const remedy = "nothing repairs it. Keep a copy if you want to know why; disk and memory are worth a look. cloakroom store restore FILE puts a backup in its place; without one, move it and its .mark aside: everybody signs in again"

// hintStore adds to an error of bolt what to do about it here.
func hintStore(err error) error {
	var h hinted
	switch {
	case errors.As(err, &h): // said already
	case errors.Is(err, bolt.ErrLocked):
		return hinted{err, stopFirst}
	case errors.Is(err, bolt.ErrDamaged):
		return hinted{err, remedy}
	case errors.Is(err, bolt.ErrEmpty):
		return hinted{err, "the next start makes a new one, and everybody signs in again; cloakroom store restore FILE puts a backup in its place"}
	case errors.Is(err, bolt.ErrRestored):
		return hinted{err, "if you moved the store here, bring the file that ends in .mark too"}
	case errors.Is(err, bolt.ErrExists):
		return hinted{err, "choose another name"}
	case errors.Is(err, fs.ErrNotExist):
		return hinted{err, "is the path right? The first start of cloakroom serve makes the store"}
	case errors.Is(err, syscall.ENOSPC):
		return hinted{err, "nothing was changed. Make room: this needs as much space again as the store has content"}
	case errors.Is(err, fs.ErrPermission):
		return hinted{err, "run this as the user that the server runs as, or as root"}
	}
	return err
}

// hintSource adds to an error about a file that somebody named what may be wrong
// with the name.
func hintSource(file string, err error) error {
	var h hinted
	switch {
	case err == nil || errors.As(err, &h):
	case errors.Is(err, bolt.ErrEmpty), (errors.Is(err, bolt.ErrDamaged) || errors.Is(err, bolt.ErrVersion)) && !storeLike(file):
		return hinted{fmt.Errorf("%s is no store, nor a backup of one, or its beginning is destroyed", file), "name a file that cloakroom store backup wrote"}
	case errors.Is(err, bolt.ErrDamaged):
		return hinted{err, "nothing repairs it, and the store in use was not touched; if this is a backup, take another"}
	case errors.Is(err, fs.ErrNotExist):
		return hinted{err, "is the path right?"}
	}
	return err
}

// storeLike reports whether file begins as a store does: bbolt's magic number
// follows the header of the first page, in the machine's order of bytes.
func storeLike(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return true // nobody can tell
	}
	defer func() { _ = f.Close() }()
	var b [20]byte
	if _, err := f.ReadAt(b[:], 0); err != nil {
		return false
	}
	magic := string(b[16:])
	return magic == "\xED\xDA\x0C\xED" || magic == "\xED\x0C\xDA\xED"
}

// storePath returns where the configuration says that the store is.
func (c configFlag) storePath(env *environment) (string, error) {
	cfg, err := loadLocal(c.Config, env.getenv, "store")
	if err != nil {
		return "", err
	}
	return cfg.Store.Bolt.Path, nil
}

type storeCheckCmd struct {
	configFlag
	File string `arg:"" optional:"" help:"A backup to check instead; then no configuration is needed."`
}

// Run says what is in the file.
func (c *storeCheckCmd) Run(env *environment) error {
	path, isBackup, isCopy := c.File, c.File != "", false
	var report bolt.Report
	var err error
	if isBackup {
		report, err = bolt.Check(path)
		err = hintSource(path, err)
	} else {
		path, report, isCopy, err = c.store(env)
	}
	if err != nil {
		return hintStore(err)
	}
	env.say("%s: ok", path)
	env.say("  %s", contents(report))
	env.say("  %s, of which %s are unused%s", binary(report.Size), binary(report.FreeBytes), ofCopy(path, isCopy))
	if report.Debris > 0 {
		env.say("  %d entries that lead nowhere; they do no harm, and most go as time passes", report.Debris)
	}
	if report.Restored != "" && !isBackup {
		noteRestored(env, path, report.Restored)
	}
	return nil
}

// noteRestored warns of what the next start does to a store that was put back.
func noteRestored(env *environment, path string, reason bolt.Reason) {
	if reason == bolt.Gone {
		env.note("There is no store, but %s.mark speaks of one: the next start makes a new one, and everybody signs in again.", path)
		return
	}
	env.note("This is not the state that %s.mark speaks of (%s): the next start removes all sessions.", path, reason)
	env.note("If the store was moved here, bring the file that ends in .mark too.")
}

// ofCopy says whose the sizes are if a copy of the file at path was checked.
func ofCopy(path string, isCopy bool) string {
	info, err := os.Stat(path)
	if !isCopy || err != nil {
		return ""
	}
	return fmt.Sprintf(", in the copy that the running server made for this; the file has %s", binary(info.Size()))
}

// store checks the store of the configuration. What a running server has open is
// checked in a copy that the server makes of it: no page of it is left out.
func (c *storeCheckCmd) store(env *environment) (path string, report bolt.Report, isCopy bool, err error) {
	cfg, err := loadLocal(c.Config, env.getenv, localKeys...)
	if err != nil {
		return "", report, false, err
	}
	path = cfg.Store.Bolt.Path
	// Beside the store there is room for it, which a folder in memory may lack.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".check-*")
	if err != nil {
		report, err = bolt.Check(path)
		return path, report, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	client := newAdminClient(cfg)
	err = client.copyStore(env.ctx, "/store/backup?for=check", filepath.Join(dir, "copy"), func(file string) (err error) {
		if report, err = bolt.Check(file); err != nil {
			err = fmt.Errorf("%s, in a copy that the running server made: %w", path, err)
		}
		report.Restored = "" // a copy has no mark
		return err
	})
	if errors.Is(err, errNotRunning) {
		report, err = bolt.Check(path)
		return path, report, false, client.unanswered(err)
	}
	return path, report, true, err
}

// contents says in one line what is in a store.
func contents(r bolt.Report) string {
	return strings.Join([]string{
		count(r.Sessions, "session"), count(r.Tombstones, "ended session"), count(r.Revocations, "waiting revocation"),
		count(r.Marks, "used mark"), count(r.Fences, "remembered logout"),
	}, ", ")
}

// binary writes a number of bytes for people.
func binary(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

type storeCompactCmd struct{ configFlag }

// Run compacts the file in place.
func (c *storeCompactCmd) Run(env *environment) error {
	path, err := c.storePath(env)
	if err != nil {
		return err
	}
	done, err := bolt.Compact(path)
	if err != nil {
		return hintStore(err)
	}
	env.say("%s: %s before, %s now; nothing deleted is left in it", path, binary(done.Before), binary(done.After))
	return nil
}

type storeBackupCmd struct {
	configFlag
	File string `arg:"" help:"The copy; it must not exist."`
}

// Run has the running server take the backup, or reads the file itself if there
// is no server. Either way the copy is checked before it has its name.
func (c *storeBackupCmd) Run(env *environment) error {
	cfg, err := loadLocal(c.Config, env.getenv, localKeys...)
	if err != nil {
		return err
	}
	if key, is := sharedWith(cfg, "FILE", c.File); is {
		what := "is the configuration itself"
		if key != "" {
			what = "belongs to " + key + " of " + c.Config
		}
		return hinted{fmt.Errorf("%s %s", c.File, what), "choose another name"}
	}
	folder := filepath.Dir(c.File)
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return hinted{fmt.Errorf("the folder %s does not exist", folder), "make it with: mkdir -p -m 700 " + folder}
	}
	var report bolt.Report
	client := newAdminClient(cfg)
	err = client.backup(env.ctx, c.File, func(file string) (err error) {
		report, err = bolt.Check(file)
		return err
	})
	if errors.Is(err, errNotRunning) {
		report, err = bolt.Backup(cfg.Store.Bolt.Path, c.File)
		err = client.unanswered(err)
	}
	if err != nil {
		return hintStore(err)
	}
	env.say("%s: %s", c.File, contents(report))
	return nil
}

type storeRestoreCmd struct {
	configFlag
	File string `arg:"" help:"The backup."`
}

// Run restores the backup, and says what that means for users.
func (c *storeRestoreCmd) Run(env *environment) error {
	path, err := c.storePath(env)
	if err != nil {
		return err
	}
	done, err := bolt.Restore(c.File, path)
	if errors.Is(err, bolt.ErrExists) { // what the last one kept; but is there anything to restore?
		aside := err
		if _, err = bolt.Check(c.File); err == nil {
			return hinted{aside, "it is what the last restore replaced: move it away first"}
		}
	}
	if err != nil {
		return hintStore(hintSource(c.File, err))
	}
	env.say("%s: restored from %s", path, c.File)
	if done.Aside != "" {
		env.say("  what was there is now %s", done.Aside)
	}
	env.note("%s left out: their refresh tokens may have been used since, and a provider", were(done.Sessions, "session"))
	env.note("would take them for stolen. Everybody signs in again.")
	return nil
}

func were(n int, thing string) string {
	if n == 1 {
		return count(n, thing) + " was"
	}
	return count(n, thing) + " were"
}
