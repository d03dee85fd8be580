package main_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// source returns the files that a pattern names, without tests.
func source(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("../..", pattern))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// TestOperatingGuide proves that every problem code, audit event and reason in
// the source is explained to operators (N3).
func TestOperatingGuide(t *testing.T) {
	guide := read(t, "docs/operating.md")
	for _, tt := range []struct {
		files, pattern string
		least          int
	}{
		{"web/refusals.go", `Code: "([a-z_]+)"`, 15},
		{"proxy/errors.go", `Code[A-Za-z]+ += "([a-z_]+)"`, 5},
		{"session/oidc/*.go", `(?:refuse\(Err(?:State|Token), |unavailable\(|, reason: |reason :?= )"([a-z_]+)"`, 40},
		{"session/audit.go", `(?:Event|Reason)[A-Za-z]+ .*= "([a-z_]+)"`, 15},
	} {
		found := regexp.MustCompile(tt.pattern).FindAllStringSubmatch(source(t, tt.files), -1)
		if len(found) < tt.least {
			t.Errorf("%s: found %d names, want at least %d: does the pattern still fit?", tt.files, len(found), tt.least)
		}
		for _, match := range found {
			if name := strings.TrimSuffix(match[1], "_"); !strings.Contains(guide, "`"+name) {
				t.Errorf("docs/operating.md does not explain %q of %s", match[1], tt.files)
			}
		}
	}
}

// TestProblemsHaveTexts proves that people are told in words of their own of every
// problem there is, in each language that we speak.
func TestProblemsHaveTexts(t *testing.T) {
	codes := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| [1-5]").FindAllStringSubmatch(read(t, "docs/operating.md"), -1)
	for file, pattern := range map[string]string{"web/refusals.go": `Code: "([a-z_]+)"`, "proxy/errors.go": `Code[A-Za-z]+ += "([a-z_]+)"`} {
		codes = append(codes, regexp.MustCompile(pattern).FindAllStringSubmatch(source(t, file), -1)...)
	}
	if len(codes) < 60 {
		t.Fatalf("found %d codes, want all of them: do the patterns still fit?", len(codes))
	}
	for _, language := range []string{"en", "de", "fr", "es"} {
		texts := read(t, "web/pages/texts."+language+".json")
		for _, match := range codes {
			if code := match[1]; code != "admin_token" && !strings.Contains(texts, `"problem.`+code+`"`) {
				t.Errorf("web/pages/texts.%s.json has no problem.%s", language, code)
			}
		}
	}
}

// TestSecurityPointsAtFiles proves that the files named in SECURITY.md and the
// guides that README.md leads to exist.
func TestSecurityPointsAtFiles(t *testing.T) {
	files := regexp.MustCompile("`([a-z]+/[a-z/_]+\\.go)`").FindAllStringSubmatch(read(t, "SECURITY.md"), -1)
	links := regexp.MustCompile(`\]\(([A-Za-z/_.]+)\)`).FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(files) < 10 || len(links) < 3 {
		t.Fatalf("found %d files and %d links, want more: do the patterns still fit?", len(files), len(links))
	}
	for _, match := range append(files, links...) {
		if _, err := os.Stat(filepath.Join("../..", match[1])); err != nil {
			t.Errorf("%s is named, but isn't there", match[1])
		}
	}
}

// TestREADMEStart proves that the configuration in README.md works.
func TestREADMEStart(t *testing.T) {
	_, text, ok := strings.Cut(read(t, "README.md"), "```yaml\n")
	text, _, end := strings.Cut(text, "```")
	if !ok || !end {
		t.Fatal("README.md has no YAML")
	}
	dir := t.TempDir()
	write(t, dir, "config.yaml", text)
	write(t, dir, "secrets/oidc", canary)
	write(t, dir, "dist/index.html", "")
	if r := cloakroom(t, dir, "check"); r.code != 0 || r.stderr != "" {
		t.Errorf("check of README.md's configuration = exit %d, %q, want exit 0", r.code, r.stderr)
	}
}

// TestAppGuide proves that every endpoint there is stands in the app's guide and
// in config.yaml.
func TestAppGuide(t *testing.T) {
	guide, reference := read(t, "docs/app.md"), strings.ReplaceAll(read(t, "config.yaml"), "\n# ", " ")
	found := regexp.MustCompile(`b\.(GET|POST)\("(/[a-z/]+)"`).FindAllStringSubmatch(source(t, "web/*.go"), -1)
	if len(found) < 8 {
		t.Fatalf("found %d endpoints, want all of them: does the pattern still fit?", len(found))
	}
	for _, match := range found {
		if endpoint := match[1] + " /bff" + match[2]; !strings.Contains(guide, "`"+endpoint+"`") {
			t.Errorf("docs/app.md does not explain %s", endpoint)
		}
		if !regexp.MustCompile("/bff" + match[2] + `[, ;]`).MatchString(reference) {
			t.Errorf("config.yaml does not list /bff%s", match[2])
		}
	}
}
