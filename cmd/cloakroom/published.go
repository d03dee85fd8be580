package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// named is a file that the configuration refers to.
type named struct{ key, file string }

// ownFiles returns all files that cfg names or that belong to them, itself among
// them, but for the application's. A key that is empty means the configuration.
func ownFiles(cfg *Config) []named {
	var out []named
	if cfg.at.file != "" {
		out = append(out, named{"", cfg.at.file})
	}
	for _, n := range namedPaths(reflect.ValueOf(cfg).Elem(), "") {
		switch n.key {
		case "spa.dir":
			continue
		case "store.bolt.path":
			out = append(out, n)
			for _, suffix := range []string{".mark", ".compact", ".restore", ".before-restore"} {
				out = append(out, named{n.key, n.file + suffix})
			}
		default:
			out = append(out, n)
		}
	}
	return out
}

// namedPaths collects the options in v that hold a path.
func namedPaths(v reflect.Value, key string) (out []named) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			name := strings.TrimPrefix(key+"."+f.Tag.Get("yaml"), ".")
			if f.Tag.Get("path") == "" {
				out = append(out, namedPaths(v.Field(i), name)...)
			} else if p := v.Field(i).String(); p != "" {
				out = append(out, named{name, p})
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, namedPaths(v.Index(i), fmt.Sprintf("%s[%d]", key, i))...)
		}
	}
	return out
}

// published refuses an application's folder with anything of Cloakroom's own in
// it: whatever lies there is served to everybody. A symbolic link counts where it
// stands and where it leads: what replaces the file may land in either place.
func (c *complaints) published(cfg *Config) {
	dir, err := os.Stat(cfg.SPA.Dir)
	if cfg.SPA.Dir == "" || err != nil || !dir.IsDir() {
		return
	}
	var inside []string
	for _, n := range ownFiles(cfg) {
		name := cmp.Or(n.key, "this configuration itself")
		known := len(inside) > 0 && inside[len(inside)-1] == name
		if !known && (within(filepath.Dir(n.file), dir) || within(filepath.Dir(followed(n.file)), dir)) {
			inside = append(inside, name)
		}
	}
	if len(inside) > 0 {
		c.errorf("spa.dir", "everything in this folder is served to everybody, and here lies: %s; name the folder that the app's build makes, such as dist, and keep other files out of it",
			strings.Join(inside, ", "))
	}
}

// within reports whether folder is dir or below it. Folders are compared by
// identity, not by name: a name may have several spellings.
func within(folder string, dir os.FileInfo) bool {
	folder, err := filepath.Abs(followed(folder))
	if err != nil {
		return false
	}
	for {
		if info, err := os.Stat(folder); err == nil && os.SameFile(info, dir) {
			return true
		}
		if folder == filepath.Dir(folder) {
			return false
		}
		folder = filepath.Dir(folder)
	}
}

// maxLinks is how many dangling links in a row are followed.
const maxLinks = 40

// followed returns where file really is, or would be made: links are resolved as
// far as there is anything.
func followed(file string) string {
	for range maxLinks {
		if real, err := filepath.EvalSymlinks(file); err == nil {
			return real
		}
		target, err := os.Readlink(file)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(followed(filepath.Dir(file)), target)
		}
		file = target
	}
	if file == filepath.Dir(file) {
		return file
	}
	return filepath.Join(followed(filepath.Dir(file)), filepath.Base(file))
}

// sharedWith returns which other option names the file that key names, and
// whether there is one. The empty key is the configuration's own.
func sharedWith(cfg *Config, key, file string) (string, bool) {
	info, err := os.Stat(file)
	real := followed(file)
	for _, n := range ownFiles(cfg) {
		if n.key == key {
			continue
		}
		other, otherErr := os.Stat(n.file)
		if err == nil && otherErr == nil && os.SameFile(info, other) || followed(n.file) == real {
			return n.key, true
		}
	}
	return "", false
}
