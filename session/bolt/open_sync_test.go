//go:build linux && (amd64 || arm64)

package bolt_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/session/bolt"
)

const openEnv = "BOLT_TEST_OPEN"

func init() {
	children[openEnv] = func(path string) error {
		s, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			return err
		}
		return s.Close()
	}
}

// J4: what a killed process wrote and did not sync is on no disk. The file is
// synced before a mark says how far it had come: else a power cut right after would
// make it look as if an old copy had been put back.
func TestOpenSyncsBeforeItMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	lived(t, path, 5)
	mark, err := os.ReadFile(path + ".mark")
	if err != nil {
		t.Fatal(err)
	}
	s := openPath(t, path)
	if err := s.Delete(t.Context(), key(1), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, path+".mark", mark) // as after a kill: it is behind
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), openEnv+"="+path)
	log := traced(t, cmd)
	file := slices.IndexFunc(log, func(d did) bool { return d.what == "sync" && d.path == path })
	marked := slices.IndexFunc(log, func(d did) bool { return strings.HasPrefix(d.path, path+".mark") })
	if file < 0 || marked < 0 || file > marked {
		t.Errorf("the file is synced at step %d, the mark touched at step %d", file, marked)
	}
}
