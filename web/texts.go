package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// texts is what people read, in one language: by id, such as "choice.title". The
// ids are those of pages/texts.en.json.
type texts struct {
	tag  language.Tag
	own  map[string]string
	next *texts // where texts are looked for that own lacks; nil for English
}

// find returns the text of id; ok is false if there is none in English either.
func (t *texts) find(id string) (text string, ok bool) {
	for ; t != nil; t = t.next {
		if text, ok = t.own[id]; ok {
			return text, true
		}
	}
	return "", false
}

// get is find for an id that pages/texts.en.json has.
func (t *texts) get(id string) string {
	text, _ := t.find(id)
	return text
}

// alike are the problems of a sign-in that people are told of in the same words:
// codes of RFC 6749, 4.1.2.1 and OpenID Connect Core 3.1.2.6.
var alike = map[string]string{
	"sign_in_interaction_required":       "sign_in_login_required",
	"sign_in_consent_required":           "sign_in_login_required",
	"sign_in_account_selection_required": "sign_in_login_required",
	"sign_in_temporarily_unavailable":    "sign_in_server_error",
}

// problem returns one sentence that says what a code means, and what to do about
// it, if there is something to be done. A provider's own description is never
// shown.
func (t *texts) problem(code string) (title, advice string) {
	if same, ok := alike[code]; ok {
		code = same
	}
	advice, _ = t.find("advice." + code)
	title, ok := t.find("problem." + code)
	switch {
	case ok:
	case strings.HasPrefix(code, "sign_in_"):
		title = t.get("problem.sign_in_other")
	default:
		title = t.get("problem.other")
	}
	return title, advice
}

// rightToLeft are the scripts that run that way (ISO 15924).
var rightToLeft = []string{"Adlm", "Arab", "Hebr", "Nkoo", "Rohg", "Syrc", "Thaa"}

// direction is the value of dir for the language.
func (t *texts) direction() string {
	script, _ := t.tag.Script()
	if slices.Contains(rightToLeft, script.String()) {
		return "rtl"
	}
	return "ltr"
}

// languages are all the texts there are.
type languages struct {
	list    []*texts // English first
	matcher language.Matcher
}

// newLanguages sorts texts by tag into languages. One that lacks a text gets it
// from the language that it is a kind of, if there is one (de-CH from de), else
// from English.
func newLanguages(byTag map[language.Tag]map[string]string) *languages {
	english := &texts{tag: language.English, own: byTag[language.English]}
	l := &languages{list: []*texts{english}}
	made := map[language.Tag]*texts{language.English: english}
	tags := make([]language.Tag, 0, len(byTag))
	for tag, own := range byTag {
		tags = append(tags, tag)
		if tag != language.English {
			made[tag] = &texts{tag: tag, own: own, next: english}
		}
	}
	slices.SortFunc(tags, func(a, b language.Tag) int { return strings.Compare(a.String(), b.String()) })
	supported := []language.Tag{language.English}
	for _, tag := range tags {
		if tag == language.English {
			continue
		}
		for wider := tag.Parent(); wider != language.Und; wider = wider.Parent() {
			if t := made[wider]; t != nil {
				made[tag].next = t
				break
			}
		}
		l.list, supported = append(l.list, made[tag]), append(supported, tag)
	}
	l.matcher = language.NewMatcher(supported)
	return l
}

// find returns the texts that fit the wanted languages best; ok is false if none
// fits.
func (l *languages) find(wanted ...language.Tag) (t *texts, ok bool) {
	_, i, confidence := l.matcher.Match(wanted...)
	return l.list[i], confidence != language.No
}

// longestWish is how many bytes of a wish for languages are looked at.
const longestWish = 500

// wished returns the languages in value: a list with blanks in between, as
// ui_locales is (OpenID Connect Core, 3.1.2.1). What is no language is left out.
func wished(value string) []language.Tag {
	if len(value) > longestWish {
		return nil
	}
	var tags []language.Tag
	for word := range strings.FieldsSeq(value) {
		if tag, err := language.Parse(word); err == nil {
			tags = append(tags, tag)
		}
	}
	return tags
}

// language returns the texts for whoever sent r. A login may say in ui_locales
// which to take, and asked is what it said when r is a callback; otherwise the
// browser's Accept-Language decides.
func (s *Server) language(r *http.Request, asked string) *texts {
	if asked == "" && r.URL.Path == s.base+"/login" {
		asked = r.URL.Query().Get("ui_locales")
	}
	if t, ok := s.Pages.languages.find(wished(asked)...); ok && asked != "" {
		return t
	}
	header := r.Header.Get("Accept-Language")
	if len(header) > longestWish {
		header = ""
	}
	tags, _, _ := language.ParseAcceptLanguage(header) // none, if it is malformed
	t, _ := s.Pages.languages.find(tags...)
	return t
}

// parseTexts reads a flat JSON object of texts by id. known are the ids there are;
// nil lets all pass.
func parseTexts(content []byte, known map[string]string) (map[string]string, error) {
	d := json.NewDecoder(strings.NewReader(strings.TrimPrefix(string(content), "\ufeff")))
	at := func(format string, args ...any) error {
		line := 1 + strings.Count(string(content[:min(int(d.InputOffset()), len(content))]), "\n")
		return fmt.Errorf("%d: "+format, append([]any{line}, args...)...)
	}
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, at(`must be one JSON object, such as {"choice.title": "Sign in"}`)
	}
	found := map[string]string{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, at("is no JSON: %v", err)
		}
		id, _ := key.(string) // the decoder takes nothing else for a key
		value, err := d.Token()
		if err != nil {
			return nil, at("is no JSON: %v", err)
		}
		text, isText := value.(string)
		_, twice := found[id]
		_, exists := known[id]
		switch {
		case known != nil && !exists:
			return nil, at("there is no text %q; docs/pages.md lists them", id)
		case twice:
			return nil, at("%q is given twice", id)
		case !isText || strings.TrimSpace(text) == "":
			return nil, at("%q must be a text, and not an empty one; leave it out to keep ours", id)
		}
		found[id] = text
	}
	if _, err := d.Token(); err != nil {
		return nil, at("is no JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, at("has something behind the object's end")
	}
	return found, nil
}
