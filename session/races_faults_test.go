package session_test

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// The rest of what a faultStore counts and fails in.

func (f *faultStore) Bury(ctx context.Context, b session.Burial) (keys []session.Key, err error) {
	err = f.call("Bury", func() (err error) { keys, err = f.Store.Bury(ctx, b); return err })
	return keys, err
}

func (f *faultStore) PutRevocation(ctx context.Context, r session.Revocation) error {
	return f.call("PutRevocation", func() error { return f.Store.PutRevocation(ctx, r) })
}

func (f *faultStore) DropRevocation(ctx context.Context, id [16]byte) error {
	return f.call("DropRevocation", func() error { return f.Store.DropRevocation(ctx, id) })
}

func (f *faultStore) Revocations(ctx context.Context, now time.Time, limit int) (rs []session.Revocation, err error) {
	err = f.call("Revocations", func() (err error) { rs, err = f.Store.Revocations(ctx, now, limit); return err })
	return rs, err
}

func (f *faultStore) Find(ctx context.Context, ix session.IndexKey) (keys []session.Key, err error) {
	err = f.call("Find", func() (err error) { keys, err = f.Store.Find(ctx, ix); return err })
	return keys, err
}

// queued returns the revocations that wait in the store, whatever their time.
func (r *room) queued() []session.Revocation {
	r.t.Helper()
	rs, err := r.store.Store.Revocations(context.Background(), time.Now().AddDate(100, 0, 0), 1<<20)
	if err != nil {
		r.t.Fatal(err)
	}
	return rs
}

// die ends whoever calls the method of the store once it has worked, as a kill
// would: nothing after it is done. Then died closes.
func (r *room) die(method string) {
	r.died = make(chan struct{})
	r.dieAgain(method)
}

// dieAgain is die with the same channel, after the store was opened anew.
func (r *room) dieAgain(method string) {
	died := sync.OnceFunc(func() { close(r.died) })
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	r.store.after = func(m string) {
		if m == method {
			died()
			runtime.Goexit()
		}
	}
}

// crash abandons the Manager as a kill would: its upkeep stops, nothing of it is
// waited for, and the file is opened by another one.
func (r *room) crash() {
	r.t.Helper()
	r.stop()
	_ = r.store.Store.Close()
	r.open()
}
