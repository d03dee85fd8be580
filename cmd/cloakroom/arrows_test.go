package main_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/cloakroom/cloakroom"

// arrows says which of our packages each package may import. A package that is
// not here has no place yet: give it one.
var arrows = map[string][]string{
	"session":        {},
	"session/bolt":   {"session"},
	"session/oidc":   {"session"},
	"proxy":          {"session", "proxy/http1"},
	"proxy/http1":    {},
	"web":            {"session", "session/oidc"},
	"internal/demo":  {},
	"bench":          {"internal/demo", "bench/stand"},
	"bench/stand":    {"internal/demo"},
	"bench/capacity": {"session", "session/bolt", "internal/demo", "bench/stand"},
	"bench/defences": {},

	"cmd/cloakroom": {"session", "session/bolt", "session/oidc", "proxy", "web", "internal/demo"},
}

// keepers are the packages that alone may import a library, so that changing it
// is one package's work.
var keepers = map[string]string{
	"github.com/labstack/echo":        "web",
	"github.com/gorilla/securecookie": "web",
	"github.com/mileusna/useragent":   "web",
	"golang.org/x/time":               "web",
	"golang.org/x/text":               "web",
	"github.com/hashicorp/golang-lru": "web",
	"go.etcd.io/bbolt":                "session/bolt",
	"github.com/coreos/go-oidc":       "session/oidc",
	"golang.org/x/oauth2":             "session/oidc",
	"github.com/goccy/go-yaml":        "cmd/cloakroom",
	"github.com/alecthomas/kong":      "cmd/cloakroom",
	"github.com/prometheus":           "cmd/cloakroom",
}

// otherSides may be imported by any test: a real store, a real
// upstream behind a real proxy, a real provider.
var otherSides = []string{"session/bolt", "proxy", "internal/demo"}

var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "middleware", "handlers", "models", "types", "misc"}

const longestFile = 400 // lines; 300 is the aim

// goPackage is what "go list -json" says of one.
type goPackage struct {
	ImportPath, Name, Dir                              string
	Imports, TestImports, XTestImports                 []string
	GoFiles, IgnoredGoFiles, TestGoFiles, XTestGoFiles []string
}

func (p goPackage) short() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Dir,Imports,TestImports,XTestImports,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

// TestArrows keeps the dependencies between packages as the design draws them.
func TestArrows(t *testing.T) {
	found := packages(t)
	if len(found) < 5 {
		t.Fatalf("go list found %d packages, want the whole module", len(found))
	}
	for _, p := range found {
		allowed, known := arrows[p.short()]
		if !known {
			t.Errorf("%s is in no arrow: say in this test what it may import", p.short())
			continue
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s, want only %v", p.short(), ours, allowed)
			}
			for library, keeper := range keepers {
				if (imported == library || strings.HasPrefix(imported, library+"/")) && p.short() != keeper {
					t.Errorf("%s imports %s, want that in %s only", p.short(), imported, keeper)
				}
			}
		}
		// Tests may look further: at the real other side, and at the package
		// itself from outside.
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			ours, ok := strings.CutPrefix(imported, module+"/")
			if ok && !slices.Contains(allowed, ours) && !slices.Contains(otherSides, ours) && ours != p.short() {
				t.Errorf("a test of %s imports %s", p.short(), ours)
			}
		}
	}
}

// TestNames refuses packages named after a kind of thing, or like one of the
// standard library that would stand beside it.
func TestNames(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "std").Output()
	if err != nil {
		t.Fatal(err)
	}
	var standard []string
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "internal") && !strings.Contains(line, "vendor") {
			standard = append(standard, path.Base(strings.TrimSpace(line)))
		}
	}
	for _, p := range packages(t) {
		if slices.Contains(vagueNames, p.Name) {
			t.Errorf("%s is named after a kind of thing, not after what it is about", p.short())
		}
		if p.Name != "main" && slices.Contains(standard, p.Name) {
			t.Errorf("%s is named like a package of the standard library", p.short())
		}
	}
}

// TestFiles keeps files short enough to be read at once, and every exported
// name's package documented.
func TestFiles(t *testing.T) {
	for _, p := range packages(t) {
		documented := false
		for _, name := range slices.Concat(p.GoFiles, p.IgnoredGoFiles, p.TestGoFiles, p.XTestGoFiles) {
			file := filepath.Join(p.Dir, name)
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if lines := strings.Count(string(text), "\n"); lines > longestFile {
				t.Errorf("%s/%s has %d lines, want at most %d", p.short(), name, lines, longestFile)
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || parsed.Doc != nil
		}
		if !documented {
			t.Errorf("%s has no package comment", p.short())
		}
	}
}
