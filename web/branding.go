package web

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html/template"
	"image/png"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// ownFiles are our templates, style and texts.
//
//go:embed pages
var ownFiles embed.FS

// What may be how long, in bytes. Style and logos are part of every page.
const (
	maxBrandFile = 256 << 10
	maxLogo      = 64 << 10
)

// Pages are the pages that people see of Cloakroom itself: the choice of a
// provider, errors, and a few on the way in and out. They are read once and safe
// for concurrent use.
type Pages struct {
	name      string
	templates *template.Template
	style     template.CSS
	logos     map[string]template.URL // by the file's name without its extension
	languages *languages
}

// LoadPages returns our pages with what folder holds in place of ours or beside
// it: style.css, logo.svg (or .png), logo-dark, provider-NAME for each provider,
// texts.TAG.json, and templates. docs/pages.md describes them. folder may be nil.
// name is the application's, for people; it may be empty. The error joins all that
// is wrong; each begins with a file's name.
func LoadPages(folder fs.FS, name string, providers []string) (*Pages, error) {
	own, err := fs.Sub(ownFiles, "pages")
	if err != nil {
		panic(err) // embedded at build time
	}
	l := loader{
		Pages: &Pages{name: name, templates: template.New(""), logos: map[string]template.URL{}},
		texts: map[language.Tag]map[string]string{},
	}
	l.read(own)
	l.known, l.providers = l.texts[language.English], providers
	if folder != nil {
		l.read(folder)
	}
	l.languages = newLanguages(l.texts)
	if len(l.errs) == 0 {
		l.tryTemplates()
	}
	return l.Pages, errors.Join(l.errs...)
}

// ownPages are ours, as they come.
var ownPages = sync.OnceValue(func() *Pages {
	p, err := LoadPages(nil, "", nil)
	if err != nil {
		panic(err) // tests load them
	}
	return p
})

// loader is a Pages in the making.
type loader struct {
	*Pages
	texts     map[language.Tag]map[string]string
	known     map[string]string // the ids of texts there are; nil while ours are read
	providers []string
	errs      []error
}

func (l *loader) wrong(file, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("%s: %s", file, fmt.Sprintf(format, args...)))
}

// read takes in all files of folder but hidden ones, which editors and
// Kubernetes leave there.
func (l *loader) read(folder fs.FS) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		l.errs = append(l.errs, cause(err))
		return
	}
	for _, entry := range entries {
		file := entry.Name()
		if strings.HasPrefix(file, ".") {
			continue
		}
		take, most := l.taker(file)
		if take == nil {
			l.wrong(file, "is none of the files that are read here: style.css, texts.TAG.json, logo.svg, logo-dark.svg, provider-NAME.svg (or .png), %s", strings.Join(l.templateNames(), ", "))
			continue
		}
		content, err := readFile(folder, file, most)
		if err != nil {
			l.wrong(file, "%v", err)
			continue
		}
		take(file, content)
	}
}

// taker returns what reads a file of that name, and how long that may be; nil if
// nothing does.
func (l *loader) taker(file string) (take func(string, []byte), most int64) {
	base, ext := strings.TrimSuffix(file, path.Ext(file)), path.Ext(file)
	provider, forProvider := strings.CutPrefix(base, "provider-")
	switch {
	case file == "style.css" || file == "page.css" && l.known == nil:
		return l.css, maxBrandFile
	case strings.HasPrefix(file, "texts.") && ext == ".json":
		return l.language, maxBrandFile
	case ext == ".html" && (l.known == nil || l.templates.Lookup(file) != nil):
		return l.template, maxBrandFile
	case ext != ".svg" && ext != ".png":
		return nil, 0
	case base == "logo", base == "logo-dark", forProvider && slices.Contains(l.providers, provider):
		return l.logo, maxLogo
	}
	return nil, 0
}

func readFile(folder fs.FS, name string, most int64) ([]byte, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, cause(err)
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("is longer than %d KiB", most>>10)
	}
	return content, nil
}

// cause is err without the name of the file.
func cause(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	outside    = regexp.MustCompile(`(?i)@import|url\(\s*["']?\s*(?:[^d#"'\s)]|d(?:[^a]|a[^t]))`)
)

// css appends a style to ours. What it can't do under our Content-Security-Policy
// is refused rather than ignored by browsers.
func (l *loader) css(file string, content []byte) {
	if strings.Contains(strings.ToLower(string(content)), "</style") {
		l.wrong(file, "holds </style, which would end it")
		return
	}
	bare := cssComment.ReplaceAllStringFunc(string(content), func(c string) string { return strings.Repeat("\n", strings.Count(c, "\n")) })
	if at := outside.FindStringIndex(bare); at != nil {
		l.wrong(fmt.Sprintf("%s:%d", file, 1+strings.Count(bare[:at[0]], "\n")),
			"loads another file, which the pages' Content-Security-Policy forbids; write it here, images and fonts as data: URLs")
		return
	}
	l.style += template.CSS(content)
}

func (l *loader) language(file string, content []byte) {
	tag, err := language.Parse(strings.TrimSuffix(strings.TrimPrefix(file, "texts."), ".json"))
	if err != nil || tag == language.Und {
		l.wrong(file, "has no language tag, such as it or pt-BR, in its name: texts.it.json")
		return
	}
	found, err := parseTexts(content, l.known)
	if err != nil {
		l.errs = append(l.errs, fmt.Errorf("%s:%w", file, err))
		return
	}
	merged := map[string]string{}
	for _, from := range []map[string]string{l.texts[tag], found} {
		for id, text := range from {
			merged[id] = text
		}
	}
	l.texts[tag] = merged
}

func (l *loader) template(file string, content []byte) {
	if _, err := l.templates.New(file).Parse(string(content)); err != nil {
		l.errs = append(l.errs, templateError(err))
	}
}

// templateError is err without what package template puts before a file's name.
func templateError(err error) error {
	text := strings.TrimPrefix(err.Error(), "html/")
	return errors.New(strings.TrimPrefix(text, "template: "))
}

// logo keeps an image as a data: URL. It is shown by <img> only, where no script
// in an SVG runs.
func (l *loader) logo(file string, content []byte) {
	base, kind := strings.TrimSuffix(file, path.Ext(file)), "image/png"
	if path.Ext(file) == ".svg" {
		kind = "image/svg+xml"
		if !isSVG(content) {
			l.wrong(file, "is no SVG image")
			return
		}
	} else if _, err := png.DecodeConfig(bytes.NewReader(content)); err != nil {
		l.wrong(file, "is no PNG image")
		return
	}
	if _, twice := l.logos[base]; twice {
		l.wrong(file, "is there as .png and as .svg; keep one of them")
		return
	}
	l.logos[base] = template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(content))
}

// isSVG reports whether content is an XML document that begins with <svg>.
func isSVG(content []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(content))
	for {
		token, err := d.RawToken()
		if err != nil {
			return false
		}
		if start, ok := token.(xml.StartElement); ok {
			return start.Name.Local == "svg"
		}
	}
}

// templateNames are the templates that a folder may replace.
func (l *loader) templateNames() []string {
	var names []string
	for _, t := range l.templates.Templates() {
		if path.Ext(t.Name()) == ".html" {
			names = append(names, t.Name())
		}
	}
	slices.Sort(names)
	return names
}

// tryTemplates renders each page, once with everything and once with as little as
// there may be, so that what is wrong with a template shows at the start.
func (l *loader) tryTemplates() {
	english := l.languages.list[0]
	for _, name := range l.templateNames() {
		for _, data := range []page{samplePage(english), {texts: english}} {
			data.Style = l.style
			if err := l.templates.ExecuteTemplate(io.Discard, name, data); err != nil {
				l.errs = append(l.errs, templateError(err))
				break
			}
		}
	}
}
