package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// storeCommand runs "cloakroom store" and checks its exit code and what it says.
func (s *site) storeCommand(code int, said string, args ...string) {
	s.Helper()
	r := cloakroom(s.T, s.dir, append([]string{"store"}, args...)...)
	if r.code != code || !strings.Contains(r.stdout+r.stderr, said) {
		s.Errorf("store %v = exit %d, stdout %q, stderr %q, want %d and %q", args, r.code, r.stdout, r.stderr, code, said)
	}
	if (r.code == 0) != (r.stdout != "") {
		s.Errorf("store %v: results belong on stdout and complaints on stderr, got %q and %q", args, r.stdout, r.stderr)
	}
}

// TestStore takes a store through its life: backed up running and stopped,
// checked, compacted, moved, and restored, which signs everybody out (experiment
// 29, J4, J8).
func TestStore(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	s.storeCommand(1, "The first start of cloakroom serve makes the store", "check")
	p := s.serve()
	first, second := s.user(), s.user()
	first.signIn()
	second.signIn()
	for _, args := range [][]string{{"compact"}, {"restore", "none.db"}} {
		s.storeCommand(1, "stop Cloakroom first", args...)
	}
	s.storeCommand(0, "data/sessions.db: ok\n  2 sessions, 0 ended sessions, 0 waiting revocations, 2 used marks", "check")
	s.storeCommand(0, " unused, in the copy that the running server made for this; the file has ", "check")
	if left, _ := filepath.Glob(s.file("data/.check*")); len(left) > 0 {
		t.Errorf("a check left %v behind", left)
	}
	s.storeCommand(0, "running.db: 2 sessions, 0 ended sessions", "backup", "running.db")
	s.storeCommand(1, "already", "backup", "running.db")
	s.storeCommand(0, "running.db: ok", "check", "running.db")
	p.stop()
	p.wait()

	write(t, s.dir, "running.db.mark", "not a store\n")
	s.storeCommand(1, "the folder not/there does not exist\nhint: make it with: mkdir -p -m 700 not/there", "backup", "not/there/b.db")
	s.storeCommand(0, " KiB, of which ", "check", "running.db")
	s.storeCommand(0, "stopped.db: 2 sessions", "backup", "stopped.db")
	s.storeCommand(1, "already", "backup", "stopped.db")
	s.storeCommand(0, "data/sessions.db: ok\n  2 sessions, 0 ended sessions, 0 waiting revocations, 2 used marks", "check")
	s.storeCommand(0, "nothing deleted is left in it", "compact")
	s.storeCommand(0, "  2 sessions", "check")

	p = s.serve()
	if first.name() == "" {
		t.Error("after compaction the first user is signed out")
	}
	p.stop()
	p.wait()

	s.storeCommand(0, "2 sessions were left out: their refresh tokens may have been used since", "restore", "running.db")
	s.storeCommand(0, "  0 sessions, 0 ended sessions, 0 waiting revocations, 2 used marks", "check")
	s.storeCommand(0, "  2 sessions", "check", "data/sessions.db.before-restore")
	s.storeCommand(1, "move it away first", "restore", "running.db")
	s.storeCommand(1, "none.db: no such file or directory\nhint: is the path right?\n", "restore", "none.db")
	s.storeCommand(1, "running.db.mark is no store", "restore", "running.db.mark")
	p = s.serve()
	for _, u := range []*user{first, second} {
		if got := u.name(); got != "" {
			t.Errorf("after a restore %q is signed in, want nobody", got)
		}
	}
	first.signIn()
	p.stop()
	p.wait()

	// The file without its mark is a copy.
	if err := os.Rename(s.file("data/sessions.db.mark"), s.file("mark")); err != nil {
		t.Fatal(err)
	}
	s.storeCommand(0, "the next start removes all sessions", "check")
	s.storeCommand(1, "bring the file that ends in .mark too", "compact")
	if err := os.Rename(s.file("mark"), s.file("data/sessions.db.mark")); err != nil {
		t.Fatal(err)
	}
	s.storeCommand(0, "nothing deleted is left in it", "compact")
}

// TestStoreDamaged proves that damage is told with file and remedy, and changes
// nothing (experiment 12).
func TestStoreDamaged(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.yaml", minimal+"admin: {listen: '127.0.0.1:1'}\n")
	garbage := strings.Repeat("garbage ", 10_000)
	write(t, dir, "data/sessions.db", garbage)
	begun := garbage[:16] + "\xED\xDA\x0C\xED" + garbage[20:]
	write(t, dir, "damaged", begun)
	for _, tt := range []struct {
		args []string
		file string
	}{
		{[]string{"check"}, "data/sessions.db"},
		{[]string{"compact"}, "data/sessions.db"},
		{[]string{"backup", "copy.db"}, "data/sessions.db"},
		{[]string{"check", "damaged"}, "damaged"},
		{[]string{"restore", "damaged"}, "damaged"},
	} {
		r := cloakroom(t, dir, append([]string{"store"}, tt.args...)...)
		if r.code != 1 || r.stdout != "" || !strings.Contains(r.stderr, tt.file) || !strings.Contains(r.stderr, "damaged") || !strings.Contains(r.stderr, "hint: nothing repairs it") {
			t.Errorf("store %v = exit %d, %q, %q, want exit 1, the file and what to do", tt.args, r.code, r.stdout, r.stderr)
		}
		// A backup is not the store: nobody is led to give that up for it.
		named := tt.file == "damaged"
		if another := strings.Contains(r.stderr, "the store in use was not touched; if this is a backup, take another"); another != named || named && strings.Contains(r.stderr, "aside") {
			t.Errorf("store %v: %q; want to take another backup if and only if it is one", tt.args, r.stderr)
		}
		if cause, _, _ := strings.Cut(r.stderr, "\nhint: "); strings.Contains(cause, "sign in again") {
			t.Errorf("store %v: %q; want the remedy in the hint", tt.args, r.stderr)
		}
	}
	write(t, dir, "data/keys", session.NewKey()+"\n")
	for _, want := range []string{"damaged", "hint: nothing repairs it", "cloakroom store restore FILE", "move it and its .mark aside"} {
		if r := cloakroom(t, dir, "serve"); r.code != 1 || !strings.Contains(r.stderr, want) {
			t.Errorf("serve = exit %d, %q, want exit 1 and %q", r.code, r.stderr, want)
		}
	}
	for _, name := range []string{"keys", "admin-token"} {
		_ = os.Remove(filepath.Join(dir, "data", name))
	}
	if got, err := os.ReadFile(filepath.Join(dir, "data/sessions.db")); err != nil || string(got) != garbage {
		t.Errorf("the damaged file was changed: %v", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.db*"))
	more, _ := filepath.Glob(filepath.Join(dir, "data/*"))
	if len(left) > 0 || len(more) != 1 {
		t.Errorf("left behind: %v, %v", left, more)
	}
}

// A backup never leads anybody to remove what is there, least of all what the
// installation needs; nor does it take the place of what is yet to be made.
func TestBackupOverItsOwn(t *testing.T) {
	for _, running := range []bool{false, true} {
		s := newSite(t, demo.ProviderConfig{})
		p := s.serve()
		if !running {
			p.stop()
			p.wait()
		}
		write(t, s.dir, "other", "x")
		for _, tt := range []struct{ file, want string }{
			{"data/sessions.db", "data/sessions.db belongs to store.bolt.path of config.yaml"},
			{"./data/../data/sessions.db.mark", "sessions.db.mark belongs to store.bolt.path of config.yaml"},
			{"data/sessions.db.restore", "data/sessions.db.restore belongs to store.bolt.path of config.yaml"},
			{"data/keys", "data/keys belongs to keys_file of config.yaml"},
			{"data/admin-token", "data/admin-token belongs to admin.token_file of config.yaml"},
			{"config.yaml", "config.yaml is the configuration itself"},
			{"other", "exists already"},
		} {
			r := cloakroom(t, s.dir, "store", "backup", tt.file)
			if r.code != 1 || !strings.Contains(r.stderr, tt.want) || !strings.Contains(r.stderr, "hint: choose another name\n") || strings.Contains(r.stderr, "remove") {
				t.Errorf("running %v: store backup %s = exit %d, %q, want exit 1, %q and another name", running, tt.file, r.code, r.stderr, tt.want)
			}
		}
	}
}

// A file that is no store at all is called that: nobody is led to restore one in
// its place.
func TestStoreOfSomethingElse(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.yaml", minimal+"admin: {listen: '127.0.0.1:1'}\n")
	for name, content := range map[string]string{"empty": "", "short": "hello\n", "long": strings.Repeat("garbage ", 10_000)} {
		write(t, dir, name, content)
		for _, command := range []string{"check", "restore"} {
			r := cloakroom(t, dir, "store", command, name)
			if r.code != 1 || !strings.Contains(r.stderr, name+" is no store, nor a backup of one") || strings.Contains(r.stderr, "damaged") {
				t.Errorf("store %s %s = exit %d, %q, want exit 1 and that it is none", command, name, r.code, r.stderr)
			}
		}
	}
	r := cloakroom(t, dir, "store", "check", "none")
	if r.code != 1 || !strings.HasSuffix(r.stderr, "hint: is the path right?\n") {
		t.Errorf("store check none = exit %d, %q, want a question for the path", r.code, r.stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); err == nil {
		t.Error("a folder was made")
	}
}
