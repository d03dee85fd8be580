package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/session"
)

// secrets reads the files that hold secrets.
func (d *decoder) secrets(cfg *Config) {
	for i := range cfg.Providers {
		p := &cfg.Providers[i]
		key := fmt.Sprintf("providers[%d].client_secret_file", i)
		if p.ClientSecretFile == "" {
			continue
		}
		if d.at.set(strings.TrimSuffix(key, "_file")) {
			d.errorf(key, "client_secret is given too; keep one of them")
			continue
		}
		data, err := readLimited(p.ClientSecretFile, maxSecret)
		if err != nil {
			d.unreadable(key, p.ClientSecretFile, err)
			continue
		}
		secret := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		switch {
		case secret == "":
			d.errorf(key, "the file is empty")
		case strings.ContainsFunc(secret, func(r rune) bool { return r < ' ' || r == utf8.RuneError }):
			d.errorf(key, "the file must hold one line of text, the secret itself")
		default:
			p.ClientSecret = session.Secret(secret)
		}
		d.privateFile(key, p.ClientSecretFile)
	}
}

// privateFile warns when others on this machine may read a secret's file. A
// container's mounts under /run/secrets are as wide as the runtime makes them;
// systemd's credentials are closed by an ACL, which looks like a group's right.
func (c *complaints) privateFile(key, file string) {
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm()&0o077 == 0 || strings.HasPrefix(file, "/run/secrets/") || strings.HasPrefix(file, "/run/credentials/") {
		return
	}
	c.warnf(key, "others may read or write this file (mode %04o); run: chmod 600 %s", info.Mode().Perm(), file)
}

// unreadable adds a problem with the file that the option at key names: err, and
// where the file is or was looked for.
func (c *complaints) unreadable(key, file string, err error) {
	text := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) { // else it was read, and its content is wrong
		text += "; " + whereabouts(file)
		switch {
		case errors.Is(err, os.ErrPermission):
			text += "; check owner and mode, of the folders above too"
		case errors.Is(err, os.ErrNotExist) && c.at.file != "":
			text += "; relative paths start at " + filepath.Base(c.at.file) + "'s folder"
		}
	}
	c.errorf(key, "%s", text)
	c.list[len(c.list)-1].Outside = true
}

// whereabouts names file, as far as it exists. The rest stands in the
// configuration, and is not repeated: in place of a secret's file there may be
// the secret itself (N1).
func whereabouts(file string) string {
	file, err := filepath.Abs(file)
	if err != nil {
		return "the current folder is not there any more"
	}
	there := file
	for there != filepath.Dir(there) {
		if _, err := os.Lstat(there); err == nil {
			break
		}
		there = filepath.Dir(there)
	}
	switch there {
	case file:
		return "it is " + there
	case filepath.Dir(file):
		return "looked for in " + there
	}
	return "looked for below " + there
}

// readLimited reads a file of at most limit bytes. Its errors say what is
// wrong without the file's name, which the caller knows by its key.
func readLimited(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, pathCause(err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, pathCause(err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("the file is larger than %v", Size(limit))
	}
	return data, nil
}

// pathCause takes the path off err: a value from the configuration, and the
// environment may have put anything into it.
func pathCause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("can't %s the file: %w", pe.Op, pe.Err)
	}
	return err
}
