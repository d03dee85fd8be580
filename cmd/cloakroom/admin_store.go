package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// piecePatience is how long a piece of a backup, some 32 KiB, may be on its way to
// whoever asked for it, before it is cut off: the next one has to wait.
const piecePatience = 30 * time.Second

// backupStore answers POST /store/backup with a copy of the store, sealed as it
// is; ?for=check says what becomes of it. One at a time: each needs twice the
// store's space on the disk.
func (a *app) backupStore(w http.ResponseWriter, r *http.Request) {
	if !a.backup.TryLock() {
		answerProblem(w, adminProblem{
			Status: http.StatusConflict, Code: "busy", Title: "A backup is being taken", Detail: "wait until it is done",
		})
		return
	}
	defer a.backup.Unlock()
	w.Header().Set("Content-Type", "application/octet-stream")
	out := &pieces{ResponseWriter: w}
	err := a.store.Backup(r.Context(), out)
	switch {
	case err == nil:
		taken := "a backup of the store was taken"
		if r.URL.Query().Get("for") == "check" {
			taken = "the store was copied to be checked"
		}
		a.log.Info(taken, "bytes", out.bytes)
	case out.bytes == 0:
		a.log.Error("a backup of the store did not work", "error", err)
		adminFailed(w, err)
	default:
		a.log.Error("a backup of the store was cut off", "error", err, "bytes", out.bytes)
		panic(http.ErrAbortHandler) // else what was sent would look whole
	}
}

// pieces counts what goes through, and gives each piece its time.
type pieces struct {
	http.ResponseWriter
	bytes int64
}

func (p *pieces) Write(b []byte) (int, error) {
	err := http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(piecePatience))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := p.ResponseWriter.Write(b)
	p.bytes += int64(n)
	return n, err
}

// backup writes a copy of the running server's store to file, which must not
// exist: whole and durable, or not at all. check looks at the copy before it
// gets its name.
func (c *adminClient) backup(ctx context.Context, file string, check func(file string) error) error {
	return c.copyStore(ctx, "/store/backup", file, check)
}

// copyStore is backup by way of path.
func (c *adminClient) copyStore(ctx context.Context, path, file string, check func(file string) error) (err error) {
	if _, err := os.Lstat(file); !errors.Is(err, os.ErrNotExist) {
		return hinted{errors.Join(err, errors.New(file+" exists already")), "choose another name"}
	}
	body, err := c.do(ctx, http.MethodPost, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = io.Copy(f, body)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := check(f.Name()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), file); err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}
