package main_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	app "github.com/cloakroom/cloakroom/cmd/cloakroom"
)

// FuzzParseConfig proves that no file makes the loader panic, and that none of
// its messages holds a value (N1): wherever the canary ends up in the file, it is
// not in what is said of it.
func FuzzParseConfig(f *testing.F) {
	text, err := os.ReadFile(reference)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(text), minimal, "", "---\n---\n", "\ufeff" + minimal,
		"listen: " + canary, canary + ": x", "- " + canary, "{" + canary + "}", "listen: |" + canary, "listen: \"\\" + canary,
		"public_url: https://" + canary + "@x", "public_url: '://" + canary + "'", "trusted_proxies: [" + canary + "/8]",
		"session: {idle: " + canary + "}", "log: {level: " + canary + "}", "listen: ${" + canary + "}", "listen: *" + canary,
		"listen: &" + canary + " x", "listen: !" + canary + " x", "? " + canary + "\n: x", "providers: [{client_secret: [" + canary + "]}]",
		"routes: [{path: /" + canary + "//, upstream: " + canary + "}]", "keys_file: " + canary, "%" + canary + "\n---\n", "a: '" + canary,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Count(text, "_file") > 0 && strings.Contains(text, "/dev") {
			return // reading a device is no business of a test
		}
		cfg, warnings, err := app.ParseConfig("config.yaml", []byte(text), env)
		if (cfg == nil) == (err == nil) {
			t.Fatalf("ParseConfig = %v, %v, want one of them", cfg, err)
		}
		var problems app.Problems
		if err != nil && (!errors.As(err, &problems) || len(problems) == 0) {
			t.Fatalf("ParseConfig: %v is no list of problems", err)
		}
		for _, p := range append(problems, warnings...) {
			// Names of keys and variables are repeated, values never.
			said := strings.ReplaceAll(p.String(), p.Key, "")
			if strings.Contains(said, canary) && !strings.Contains(said, "environment variable") {
				t.Errorf("the value was printed: %v", p)
			}
			if strings.ContainsAny(p.String(), "\n\x1b") {
				t.Errorf("a problem with control characters: %q", p.String())
			}
		}
	})
}
