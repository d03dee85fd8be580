package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloakroom/cloakroom/bench/stand"
)

const pageHead = `# Capacity

What ` + "`make capacity`" + ` measured: %s.
Token sets have 4000 bytes. Where a figure was taken several times it is the median, with the lowest and the highest behind it.

`

// write puts one section into the page, in the order of parts, and leaves the
// others as they are.
func (b *bench) write(name, section string) error {
	sections, err := b.read()
	if err != nil {
		return err
	}
	sections[name] = section
	page := fmt.Sprintf(pageHead, stand.Machine())
	for _, p := range parts {
		if text, ok := sections[p.name]; ok {
			page += marker(p.name) + "\n" + strings.TrimSpace(text) + "\n\n"
		}
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.page(), []byte(strings.TrimSpace(page)+"\n"), 0o644)
}

func (b *bench) page() string { return filepath.Join(b.out, "capacity.md") }

// read returns the sections of the page by name; none if there is no page.
func (b *bench) read() (map[string]string, error) {
	page, err := os.ReadFile(b.page())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	sections := map[string]string{}
	for piece := range strings.SplitSeq(string(page), "<!-- section ") {
		if name, text, ok := strings.Cut(piece, " -->\n"); ok {
			sections[name] = text
		}
	}
	return sections, nil
}

// plot writes a picture and returns what shows it in the page.
func (b *bench) plot(name string, p stand.Plot) (string, error) {
	file := "capacity-" + name + ".svg"
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return "", err
	}
	err := os.WriteFile(filepath.Join(b.out, file), []byte(p.SVG()), 0o644)
	return fmt.Sprintf("![%s](%s)\n\n", p.Title, file), err
}

// marker stands before a section, so that the next run finds it.
func marker(name string) string { return "<!-- section " + name + " -->" }
