package main_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stdout string
		stderr string
	}{
		{"nothing", nil, 0, "Usage: cloakroom <command>", ""},
		{"help", []string{"--help"}, 0, "keys new", ""},
		{"help as a command", []string{"help"}, 0, "keys new", ""},
		{"help with a command", []string{"help", "health"}, 0, "--address", ""},
		{"a command's help", []string{"check", "--help"}, 0, "--config", ""},
		{"version", []string{"version"}, 0, "cloakroom v1.2.3-test", ""},
		{"version as a flag", []string{"--version"}, 0, "cloakroom v1.2.3-test", ""},
		{"a misspelt command", []string{"chekc"}, 2, "", `did you mean "check"?`},
		{"half a command", []string{"keys"}, 2, "", "expected one of \"new\", \"list\"\nhint: cloakroom keys --help says more"},
		{"an unknown flag", []string{"check", "--confg", "x"}, 2, "", "unknown flag"},
		{"a flag without its value", []string{"check", "--config"}, 2, "", "--config"},
		{"too much", []string{"version", "now"}, 2, "", "unexpected argument now"},
		{"no configuration", []string{"check"}, 3, "", "config.yaml: can't open the file: no such file or directory; name another with --config, or write one: "},
		{"a folder as configuration", []string{"check", "-c", "."}, 3, "", "is a directory; name a file in it with --config"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := cloakroom(t, t.TempDir(), tt.args...)
			if r.code != tt.code || !strings.Contains(r.stdout, tt.stdout) || !strings.Contains(r.stderr, tt.stderr) {
				t.Errorf("cloakroom %v = exit %d, stdout %q, stderr %q, want %d, %q, %q",
					tt.args, r.code, r.stdout, r.stderr, tt.code, tt.stdout, tt.stderr)
			}
			if (tt.code == 0) != (r.stderr == "") || (tt.code == 0) != (r.stdout != "") {
				t.Errorf("cloakroom %v: results belong on stdout and complaints on stderr, got %q and %q", tt.args, r.stdout, r.stderr)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	status := http.StatusOK
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/healthz" {
			t.Errorf("health asked %s %s, want GET /healthz", r.Method, r.URL)
		}
		if status == http.StatusFound {
			w.Header().Set("Location", elsewhere.URL)
		}
		w.WriteHeader(status)
	}))
	defer admin.Close()
	address := admin.Listener.Addr().String()

	for _, tt := range []struct {
		name   string
		status int
		code   int
		said   string
	}{
		{"well", http.StatusOK, 0, "ok"},
		{"not well", http.StatusServiceUnavailable, 1, "answered 503"},
		{"sent elsewhere", http.StatusFound, 1, "answered 302"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status = tt.status
			dir := t.TempDir()
			write(t, dir, "config.yaml", minimal+"admin: {listen: '"+address+"'}\n")
			for _, args := range [][]string{{"health"}, {"health", "--address", address, "--config", "none"}} {
				r := cloakroom(t, dir, args...)
				if r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.said) {
					t.Errorf("%v = exit %d, %q, want %d and %q", args, r.code, r.stdout+r.stderr, tt.code, tt.said)
				}
			}
		})
	}
	admin.Close()
	if r := cloakroom(t, t.TempDir(), "health", "--address", address); r.code != 1 || !strings.Contains(r.stderr, "is cloakroom serve running") {
		t.Errorf("health of nobody = exit %d, %q, want exit 1 and a hint", r.code, r.stderr)
	}
	if r := cloakroom(t, t.TempDir(), "health", "--address", "9090"); r.code != 1 || !strings.Contains(r.stderr, "must be host:port") {
		t.Errorf("health of a port = exit %d, %q, want exit 1 and the form", r.code, r.stderr)
	}
}

// TestHealthWithoutSecrets proves that a health check needs admin.listen and
// nothing else of the configuration: its secrets are the service's alone.
func TestHealthWithoutSecrets(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer admin.Close()
	rest := strings.Replace(minimal, canary, "${NOT_SET_HERE}", 1) + "keys_fil: x\n"
	for _, tt := range []struct {
		name, config string
		code         int
		said         string
	}{
		{"a secret that isn't here", rest + "admin: {listen: '" + admin.Listener.Addr().String() + "'}\n", 0, "ok"},
		{"an address that can't be read", rest + "admin: {listen: '${NOT_SET_HERE}'}\n", 3, "admin.listen: the environment variable NOT_SET_HERE is not set"},
		{"no address that can be asked", rest + "admin: {listen: '9090'}\n", 1, "must be host:port"},
		{"no YAML", "a: [", 3, "not valid YAML"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", tt.config)
			if r := cloakroom(t, dir, "health"); r.code != tt.code || !strings.Contains(r.stdout+r.stderr, tt.said) {
				t.Errorf("health = exit %d, %q, want exit %d and %q", r.code, r.stdout+r.stderr, tt.code, tt.said)
			}
		})
	}
}
