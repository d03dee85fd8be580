package main_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var matrixWrite = flag.String("matrix.write", "", "put the matrix into this Markdown `file`, between its marks")

const (
	matrixBegin = "<!-- matrix: written by go test -run TestKillMatrix -matrix.write -->\n"
	matrixEnd   = "<!-- end of matrix -->\n"
)

// TestKillMatrix kills the real program with SIGKILL at each step of a renewal,
// with each kind of provider (R1, R3, R4, R5, R7, R9; D1, D3). A session survives
// wherever the provider allows it; else its user gets one clean 401, and the
// operator one event that names the cause. No refresh token is used after its
// successor is durable, and none more than twice.
func TestKillMatrix(t *testing.T) {
	all := cells(testing.Short())
	results := make([]*outcome, len(all))
	// Cells mostly wait for tokens to age: more of them at once than processors.
	var done sync.WaitGroup
	free := make(chan struct{}, 8)
	for i, c := range all {
		free <- struct{}{}
		done.Go(func() {
			defer func() { <-free }()
			t.Run(c.name(), func(t *testing.T) {
				got := c.run(t)
				results[i] = &got
				c.want(t, got)
			})
		})
	}
	done.Wait()
	table := matrixTable(all, results)
	t.Logf("%d cells\n%s", len(all), table)
	if *matrixWrite != "" {
		writeMatrix(t, *matrixWrite, table)
	}
}

// TestReliabilityGuide proves that docs/reliability.md shows the matrix that
// TestKillMatrix proves, and that all tests it names exist.
func TestReliabilityGuide(t *testing.T) {
	all := cells(false)
	results := make([]*outcome, len(all))
	for i := range all {
		results[i] = &all[i].outcome
	}
	guide := read(t, "docs/reliability.md")
	tests := declaredTests(t)
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(guide, -1)
	if len(named) < 20 {
		t.Errorf("docs/reliability.md names %d tests, want more: does the pattern still fit?", len(named))
	}
	for _, match := range named {
		if !strings.Contains(tests, "func "+match[1]+"(") {
			t.Errorf("docs/reliability.md names %s, which isn't there", match[1])
		}
	}
	_, text, ok := strings.Cut(guide, matrixBegin)
	text, _, end := strings.Cut(text, matrixEnd)
	if want := matrixTable(all, results); !ok || !end || strings.TrimSpace(text) != strings.TrimSpace(want) {
		t.Errorf("docs/reliability.md has another matrix; write it with: go test -run TestKillMatrix -matrix.write ../../docs/reliability.md ./cmd/cloakroom\nwant:\n%s", want)
	}
}

// declaredTests returns all test files of the module, one after the other.
func declaredTests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, p := range packages(t) {
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return all.String()
}

// matrixTable shows the outcomes, a column for each moment's row.
func matrixTable(all []cell, results []*outcome) string {
	var b strings.Builder
	b.WriteString("| Provider | Told | " + strings.Join(momentNames(), " | ") + " |\n")
	b.WriteString(strings.Repeat("|---", len(moments)+2) + "|\n")
	for _, p := range idps {
		for _, told := range []bool{false, true} {
			row, found := "", false
			for _, m := range moments {
				shown := "–"
				for i, c := range all {
					if results[i] != nil && c.idp.name == p.name && c.moment.name == m.name && c.told == told {
						shown, found, row = results[i].String(), true, rowOf(row, c)
					}
				}
				row += " | " + shown
			}
			if found {
				fmt.Fprintf(&b, "| %s |\n", row)
			}
		}
	}
	return b.String()
}

func rowOf(row string, c cell) string {
	if row != "" {
		return row
	}
	return c.idp.name + " | " + c.row()
}

func momentNames() (out []string) {
	for _, m := range moments {
		out = append(out, m.name)
	}
	return out
}

// writeMatrix replaces what stands between the marks in a file.
func writeMatrix(t *testing.T, path, table string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), matrixBegin)
	_, after, end := strings.Cut(rest, matrixEnd)
	if !ok || !end {
		t.Fatalf("%s has no place for the matrix", path)
	}
	if err := os.WriteFile(path, []byte(before+matrixBegin+"\n"+table+"\n"+matrixEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
