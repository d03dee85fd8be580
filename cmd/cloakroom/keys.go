package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/cloakroom/cloakroom/session"
)

type keysCmd struct {
	New  keysNewCmd  `cmd:"" help:"Print a new server key, or put it first in a key file."`
	List keysListCmd `cmd:"" help:"Show what each server key still seals, and when it may go."`
}

type keysNewCmd struct {
	File string `arg:"" optional:"" help:"The key file (keys_file in the configuration). It is made if it doesn't exist; keys in it stay and still open what they sealed."`
}

// Run prints a key, or puts one into the file.
func (k *keysNewCmd) Run(env *environment) error {
	if k.File == "" {
		env.say("%s", session.NewKey())
		return nil
	}
	count, err := addKey(k.File)
	if err != nil {
		return err
	}
	if count == 1 {
		env.note("made %s with its first key", k.File)
		env.note("It opens no store that there is already: what was sealed with another key file needs that one.")
		return nil
	}
	env.note("added; %d keys now, the new one first. A running Cloakroom picks it up by itself within seconds, or at SIGHUP.", count)
	env.note("Keep the older keys until they may go: cloakroom keys list says when.")
	return nil
}

// addKey puts a new key first in file, atomically: a crash leaves the old file
// or the new one. It returns how many keys there are now. A file that is no
// key file is left alone.
func addKey(file string) (int, error) {
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real // replace what the link points at, not the link
	}
	old, err := os.ReadFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		folder := filepath.Dir(file)
		if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
			return 0, hinted{fmt.Errorf("the folder %s does not exist", folder), "make it with: mkdir -p -m 700 " + folder}
		}
	case err != nil:
		return 0, err
	default:
		if _, err := parseKeyring(file, old); err != nil && len(old) > 0 {
			return 0, hinted{err, "name a key file, or one that doesn't exist yet"}
		}
	}
	content := append([]byte(session.NewKey()+"\n"), old...)
	ring, err := parseKeyring(file, content)
	if err != nil {
		return 0, err
	}
	return ring.Len(), replaceFile(file, content)
}

// replaceFile makes content the whole of file, with mode 0600 and the owner it
// had. The temporary file's fixed name keeps two of these from overwriting each
// other's work.
func replaceFile(file string, content []byte) error {
	temporary := file + ".new"
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return hinted{err, "another cloakroom is writing the file, or was cut off: remove that file then"}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = keepOwner(f, file)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temporary, file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
