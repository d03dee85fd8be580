package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing wrong with a configuration. Its text names keys and
// remedies, and never repeats a value from the file or the environment: what
// stands in the wrong place may be a secret.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0 means the file as a whole
	Key          string // such as providers[0].issuer; empty for the file as a whole
	Text         string
	Warning      bool // it is odd or risky, but it works
	Outside      bool // it is about a file that the configuration names, or its own absence
}

// String returns "file:line:column: key: text".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Warning {
		b.WriteString("warning: ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is everything wrong with a configuration, in the file's order.
type Problems []Problem

// Error returns one line per problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns what must be mended, without the warnings.
func (ps Problems) Errors() Problems { return ps.filter(false) }

// Warnings returns what works all the same.
func (ps Problems) Warnings() Problems { return ps.filter(true) }

// outside marks all of ps as being about files; it returns ps.
func (ps Problems) outside() Problems {
	for i := range ps {
		ps[i].Outside = true
	}
	return ps
}

func (ps Problems) filter(warning bool) Problems {
	var out Problems
	for _, p := range ps {
		if p.Warning == warning {
			out = append(out, p)
		}
	}
	return out
}

// place is where an option's key stands.
type place struct{ line, column int }

// places knows where the options of one file stand, by key path. Its zero
// value belongs to a configuration that was not read from a file.
type places struct {
	file string
	keys map[string]place
}

// set reports whether the file itself gives the option.
func (a places) set(key string) bool { _, ok := a.keys[key]; return ok }

// find returns the place of key or, when the file doesn't have it, of what it
// should have stood in.
func (a places) find(key string) place {
	for key != "" {
		if p, ok := a.keys[key]; ok {
			return p
		}
		key = key[:max(0, strings.LastIndexAny(key, ".["))]
	}
	return place{}
}

// complaints collects problems while a configuration is looked at.
type complaints struct {
	at   places
	list Problems

	// meant are keys that stand in the file misspelt, so they aren't missing too.
	meant map[string]bool
}

// errorf adds a problem with the option at key.
func (c *complaints) errorf(key, format string, args ...any) {
	c.addAt(c.at.find(key), key, fmt.Sprintf(format, args...))
}

// warnf adds a warning about the option at key.
func (c *complaints) warnf(key, format string, args ...any) {
	c.errorf(key, format, args...)
	c.list[len(c.list)-1].Warning = true
}

func (c *complaints) addAt(p place, key, text string) {
	c.list = append(c.list, Problem{File: c.at.file, Line: p.line, Column: p.column, Key: key, Text: text})
}

// has reports whether something is wrong already with key or inside it.
func (c *complaints) has(key string) bool {
	return slices.ContainsFunc(c.list, func(p Problem) bool {
		rest, ok := strings.CutPrefix(p.Key, key)
		return ok && !p.Warning && (rest == "" || rest[0] == '.' || rest[0] == '[')
	})
}

// sorted returns the problems in the file's order.
func (c *complaints) sorted() Problems {
	slices.SortStableFunc(c.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return c.list
}

// nearest returns the candidate that word was probably meant to be.
func nearest(word string, candidates []string) (string, bool) {
	best, distance := "", 1+max(1, len(word)/3)
	for _, c := range candidates {
		if d := editDistance(word, c); d < distance {
			best, distance = c, d
		}
	}
	return best, best != ""
}

// editDistance counts insertions, deletions, substitutions and swaps of
// neighbours that lead from a to b.
func editDistance(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
