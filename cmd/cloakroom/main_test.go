package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "cloakroom-test-")
	if err == nil {
		binary = filepath.Join(dir, "cloakroom")
		var out []byte
		if out, err = exec.Command("go", "build", "-ldflags=-X main.release=v1.2.3-test", "-o", binary, ".").CombinedOutput(); err != nil {
			err = fmt.Errorf("%w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// canary is a secret; nothing the program prints may contain it (N1).
const canary = "canary-7f3a9c"

// minimal is the smallest configuration that works; 9 lines.
const minimal = `public_url: https://app.example.com
providers:
  - name: main
    issuer: https://id.example.com
    client_id: spa
    client_secret: canary-7f3a9c
routes:
  - path: /api/
    upstream: http://127.0.0.1:9000
`

// result is how one run of the program ended.
type result struct {
	code           int
	stdout, stderr string
}

// cloakroom runs the program in dir. No output may hold the canary.
func cloakroom(t *testing.T, dir string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "OIDC_CLIENT_SECRET=" + canary, "EMPTY=", "LISTEN=canary-7f3a9c:port"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %v: %v", args, err)
	}
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	if strings.Contains(r.stdout+r.stderr, canary) {
		t.Errorf("%v printed the secret:\n%s%s", args, r.stdout, r.stderr)
	}
	return r
}

// write puts a file into dir, readable by its owner only.
func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// broken is one configuration and all that is said about it.
type broken struct {
	name     string
	old, new string // new replaces old in minimal; without old it is appended
	want     string // the problems, without the file's name, one a line
	files    bool   // the problems are about files, not about what the configuration says
}

func (b broken) run(t *testing.T) {
	dir := t.TempDir()
	content := minimal + b.new
	if b.old != "" {
		if !strings.Contains(minimal, b.old) {
			t.Fatalf("minimal has no %q", b.old)
		}
		content = strings.Replace(minimal, b.old, b.new, 1)
	}
	write(t, dir, "config.yaml", content)
	got := cloakroom(t, dir, "check")
	problems, _, ok := strings.Cut(got.stderr, "hint: ")
	if got.code != 3 || ok == b.files || got.stdout != "" {
		t.Errorf("check = exit %d, stdout %q, stderr %q, want exit 3 and problems, with a hint at the reference unless they are about files", got.code, got.stdout, got.stderr)
	}
	problems = strings.NewReplacer("\nconfig.yaml: ", "\n", "\nconfig.yaml:", "\n").Replace("\n" + problems)
	problems = strings.TrimSpace(strings.ReplaceAll(problems, dir, "DIR"))
	if want := strings.TrimSpace(b.want); problems != want {
		t.Errorf("problems:\n%s\nwant:\n%s", problems, want)
	}
}
