package bolt_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// What Check counts.
func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	lived(t, path, 20)
	got, err := bolt.Check(path)
	if err != nil {
		t.Fatalf("Check: %v", err)
	}
	if got.Size == 0 || got.FreeBytes <= 0 || got.FreeBytes >= got.Size {
		t.Errorf("Check = %d bytes, %d free, want some of either", got.Size, got.FreeBytes)
	}
	got.Size, got.FreeBytes = 0, 0
	if want := (bolt.Report{Sessions: 19, Tombstones: 1, Revocations: 1, Marks: 1, Fences: 1}); got != want {
		t.Errorf("Check = %+v, want %+v", got, want)
	}
}

// Experiment 12, for what stands in the tables: an entry that refers to nothing
// is debris, a record without what must find it is damage.
func TestCheckFindings(t *testing.T) {
	k := key(5)
	var id session.IndexKey // some other
	id[0] = 0x77
	until, head := at(8*time.Hour).Unix(), at(time.Hour).Unix()
	put := func(bucket string, key, value []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(key, value) }
	}
	remove := func(bucket string, key []byte) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucket))
			if b.Get(key) == nil {
				return errors.New("nothing to remove: the test proves nothing")
			}
			return b.Delete(key)
		}
	}
	clear := func(bucket string) func(*bbolt.Tx) error {
		return func(tx *bbolt.Tx) error {
			if err := tx.DeleteBucket([]byte(bucket)); err != nil {
				return err
			}
			_, err := tx.CreateBucket([]byte(bucket))
			return err
		}
	}
	subject := index(1)
	tests := []struct {
		name    string
		edit    func(*bbolt.Tx) error
		debris  int
		damaged string // what the error says
	}{
		{"an index entry of no session", put("index", append(subject[:], id[:]...), nil), 1, ""},
		{"an index entry of another length", put("index", []byte("short"), nil), 1, ""},
		{"tokens of no session", put("tokens", id[:], make([]byte, 9)), 1, ""},
		{"an end of no session", put("expiry", bolt.Due(until, 2, id), nil), 1, ""},
		{"an end of no mark", put("expiry", bolt.Due(until, 3, id), nil), 1, ""},
		{"an end of no fence", put("expiry", bolt.Due(until, 4, id), nil), 1, ""},
		{"an end of no kind", put("expiry", bolt.Due(until, 9, id), nil), 1, ""},
		{"a queued revocation of nothing", put("queue", make([]byte, 24), nil), 1, ""},
		{"a queue entry of another length", put("queue", []byte("short"), nil), 1, ""},
		{"a session that is too short", put("sessions", k[:], []byte("short")), 4, "records: 1, the first: session " + k.Ref()},
		{"what shows whether the keys fit", put("sessions", make([]byte, 32), []byte("short")), 2, "the first: what shows whether the keys fit"},
		{"a session under a short key", put("sessions", []byte("short"), make([]byte, 90)), 0, "the first: session"},
		{"a session without tokens", remove("tokens", k[:]), 0, "the first: session " + k.Ref()},
		{"a session without its end", remove("expiry", bolt.Due(until, 2, [32]byte(k))), 0, "session " + k.Ref() + ", which expiry does not know"},
		{"a session without the end of its head", remove("expiry", bolt.Due(head, 1, [32]byte(k))), 0, "session " + k.Ref() + ", which expiry does not know"},
		{"sessions that nobody finds", clear("index"), 0, ", which index does not know"},
		{"a mark that is no time", put("marks", id[:], []byte("late")), 0, "mark 7700"},
		{"a mark without its end", put("marks", id[:], make([]byte, 8)), 0, "mark 77000000…, which expiry does not know"},
		{"a fence that is no time", put("fences", id[:], []byte("late")), 0, "fence 7700"},
		{"a fence without its end", put("fences", id[:], make([]byte, 16)), 0, "fence 77000000…, which expiry does not know"},
		{"a revocation that is too short", put("revocations", id[:16], []byte("late")), 0, "revocation 7700"},
		{"a revocation out of the queue", put("revocations", id[:16], make([]byte, 9)), 0, "revocation 77000000…, which queue does not know"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			lived(t, path, 20)
			edit(t, path, tt.edit)
			got, err := bolt.Check(path)
			if got.Debris != tt.debris {
				t.Errorf("Check = %d pieces of debris, want %d", got.Debris, tt.debris)
			}
			if tt.damaged == "" && err != nil {
				t.Errorf("Check: %v", err)
			}
			if tt.damaged != "" && (!errors.Is(err, bolt.ErrDamaged) || !strings.Contains(err.Error(), tt.damaged) || !strings.Contains(err.Error(), path)) {
				t.Errorf("Check: %v, want ErrDamaged, %q and the path", err, tt.damaged)
			}

			// The store itself goes on, whatever is in it.
			f := fixture{t, openPath(t, path)}
			_, err = f.Scan(t.Context(), session.Key{}, 100)
			f.wantError("Scan", err, nil)
			_, err = f.Revocations(t.Context(), at(time.Hour), 100)
			f.wantError("Revocations", err, nil)
			_, err = f.Bury(t.Context(), session.Burial{Under: []session.IndexKey{index(1), id}, At: at(0), Until: at(time.Hour)})
			f.wantError("Bury", err, nil)
			f.put(session.Revocation{ID: [16]byte(id[:16]), Due: at(0)})
			f.wantError("DropRevocation", f.DropRevocation(t.Context(), [16]byte(id[:16])), nil)
			_, err = f.Sweep(t.Context(), at(9000*time.Hour), 1000)
			f.wantError("Sweep", err, nil)
			f.wantRevocations(at(0), 10, revocation(1, 0))
		})
	}
}
