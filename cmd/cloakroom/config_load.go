package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	maxConfig  = 1 << 20  // bytes in a configuration file
	maxSecret  = 64 << 10 // bytes in a secret's file
	maxNesting = 64       // [ and { inside each other: the parser recurses
)

// LoadConfig reads the configuration in file. env looks up environment
// variables, as [os.LookupEnv] does. If anything is wrong the error is a
// [Problems] with all of it; warnings are returned beside a good configuration.
// No text of it ever holds a value.
func LoadConfig(file string, env func(string) (string, bool)) (*Config, Problems, error) {
	data, err := readLimited(file, maxConfig)
	if err != nil {
		return nil, nil, Problems{noConfig(file, err)}
	}
	return ParseConfig(file, data, env)
}

// noConfig is the problem with a file that can't be read, and what to do.
func noConfig(file string, err error) Problem {
	hint := ""
	switch {
	case errors.Is(err, os.ErrNotExist):
		hint = "; name another with --config, or write one: README and the annotated config.yaml show how"
	case errors.Is(err, syscall.EISDIR):
		hint = "; name a file in it with --config"
	case errors.Is(err, os.ErrPermission):
		hint = "; run this as the user that the server runs as"
	}
	return Problem{File: file, Text: err.Error() + hint, Outside: true}
}

// loadLocal reads what commands on this machine need of file: the options at
// the given keys, with everything under them. They work where the secrets of
// the service are not, and what else is wrong in file is nothing to them. The
// error is a [Problems].
func loadLocal(file string, env func(string) (string, bool), keys ...string) (*Config, error) {
	data, err := readLimited(file, maxConfig)
	if err != nil {
		return nil, Problems{noConfig(file, err)}
	}
	d := newDecoder(file, env)
	cfg := DefaultConfig()
	if body := d.parse(data); body != nil && d.isMapping(body) {
		d.decode(body, option{value: reflect.ValueOf(cfg).Elem()})
		resolvePaths(reflect.ValueOf(cfg).Elem(), filepath.Dir(file))
		cfg.at = d.at
	}
	var errs Problems
	for _, p := range d.sorted().Errors() {
		if p.Key == "" || slices.ContainsFunc(keys, func(key string) bool {
			return p.Key == key || strings.HasPrefix(p.Key, key+".") || strings.HasPrefix(key, p.Key+".")
		}) {
			errs = append(errs, p)
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return cfg, nil
}

func newDecoder(file string, env func(string) (string, bool)) *decoder {
	return &decoder{env: env, complaints: complaints{
		at: places{file: file, keys: map[string]place{}}, meant: map[string]bool{},
	}}
}

// ParseConfig is [LoadConfig] for the content of a file that was read already.
// Relative paths are taken from the folder of file.
func ParseConfig(file string, data []byte, env func(string) (string, bool)) (*Config, Problems, error) {
	d := newDecoder(file, env)
	cfg := DefaultConfig()
	body := d.parse(data)
	if body != nil && d.isMapping(body) {
		d.decode(body, option{value: reflect.ValueOf(cfg).Elem()})
		resolvePaths(reflect.ValueOf(cfg).Elem(), filepath.Dir(file))
		cfg.at = d.at
		settle(cfg)
		d.secrets(cfg)
		validate(cfg, &d.complaints)
	}
	problems := d.sorted()
	if errs := problems.Errors(); len(errs) > 0 {
		return nil, problems.Warnings(), errs
	}
	return cfg, problems, nil
}

// parse returns the file's mapping, or nil after a complaint.
func (d *decoder) parse(data []byte) ast.Node {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if at, why := unreadable(text); why != "" {
		d.addAt(at, "", why)
		return nil
	}
	tree, err := parseYAML(text)
	if err != nil {
		at, why := syntax(err)
		d.addAt(at, "", why)
		return nil
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		switch {
		case doc.Body == nil || doc.Body.Type() == ast.NullType:
		case doc.Body.Type() == ast.DirectiveType:
			d.addAt(placeOf(doc.Body), "", "YAML directives (%) are not supported; remove the line")
			return nil
		case body != nil:
			d.addAt(placeOf(doc.Body), "", "a second document begins here; one file holds one configuration, so remove the --- line")
			return nil
		default:
			body = doc.Body
		}
	}
	if body == nil {
		d.addAt(place{}, "", "the file is empty; start from the config.yaml that comes with Cloakroom")
	}
	return body
}

// isMapping complains about a file that isn't keys and values at all.
func (d *decoder) isMapping(body ast.Node) bool {
	_, many := body.(*ast.MappingNode)
	_, one := body.(*ast.MappingValueNode)
	if !many && !one {
		d.addAt(placeOf(body), "", `expected keys and values, such as "listen: 127.0.0.1:8080"`)
	}
	return many || one
}

// parseYAML turns a panic of the parser into an error: a broken file is a
// message to the operator, never a crash.
func parseYAML(text string) (tree *ast.File, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("not valid YAML")
		}
	}()
	return parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
}

// unreadable finds what should not even reach the parser.
func unreadable(text string) (place, string) {
	at, depth := place{1, 0}, 0
	for i, r := range text {
		at.column++
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			return at, "not UTF-8 text; save the file as UTF-8"
		case r == '\n':
			at = place{at.line + 1, 0}
		case r < ' ' && r != '\t' && r != '\r':
			return at, "a control character; remove it"
		case r == '[' || r == '{':
			depth++
		case r == ']' || r == '}':
			depth = max(0, depth-1)
		}
		if depth > maxNesting {
			return at, fmt.Sprintf("more than %d brackets inside each other", maxNesting)
		}
	}
	return place{}, ""
}

// syntax makes a message of a parser's error. Double quotes in it surround
// text from the file, which may be a secret, so what begins with one is cut.
func syntax(err error) (place, string) {
	var e yaml.Error
	if !errors.As(err, &e) {
		return place{}, "not valid YAML"
	}
	text, _, _ := strings.Cut(e.GetMessage(), `"`)
	text = strings.TrimRight(text, ": ")
	switch {
	case strings.HasPrefix(text, "found unknown escape character"):
		text = `unknown escape in double quotes; write \\ for a backslash, or take single quotes`
	case strings.Contains(text, `'\t'`), strings.Contains(text, "\t"):
		text = "a tab can't indent in YAML; use spaces"
	case strings.HasPrefix(text, "',' or"):
		text += "; inside [ ] and { } put ${NAME} and other special text in quotes"
	case strings.HasPrefix(text, "value is not allowed"):
		text = "there can't be anything here; check the indentation"
	case strings.HasPrefix(text, "non-map value"):
		text = `expected "key: value"; is the space after the colon missing?`
	case strings.HasPrefix(text, "mapping value is not allowed"):
		text = `unexpected ": "; put text that contains it in quotes, and check the indentation`
	}
	at := place{}
	if tk := e.GetToken(); tk != nil && tk.Position != nil {
		at = place{tk.Position.Line, tk.Position.Column}
	}
	return at, "not valid YAML: " + text
}

// settle sets the defaults that depend on other options.
func settle(cfg *Config) {
	if s := &cfg.Session; !cfg.at.set("session.rotate_every") {
		s.RotateEvery = min(s.RotateEvery, s.Absolute)
	}
	for i := range cfg.Providers {
		if !cfg.at.set(fmt.Sprintf("providers[%d].post_logout", i)) {
			cfg.Providers[i].PostLogout = cfg.BasePath + signedOutPath
		}
	}
	for i := range cfg.Routes {
		r, key := &cfg.Routes[i], fmt.Sprintf("routes[%d].token", i)
		if r.Auth == "none" && !cfg.at.set(key) {
			r.Token = "none"
		}
	}
}

// resolvePaths makes the paths in v relative to dir, where they aren't absolute.
func resolvePaths(v reflect.Value, dir string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.Tag.Get("path") != "" {
				if p := v.Field(i).String(); p != "" && !filepath.IsAbs(p) {
					v.Field(i).SetString(filepath.Join(dir, p))
				}
			} else if f.IsExported() {
				resolvePaths(v.Field(i), dir)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			resolvePaths(v.Index(i), dir)
		}
	}
}
