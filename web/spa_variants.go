package web

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// encodings are the content codings whose files a build may lay beside the ones
// they were made of, and what those files' names end in. What compresses best
// comes first.
var encodings = [...]struct{ coding, suffix string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}

// variants returns the indexes in encodings of the encoded files that lie beside
// file. One that is older than file was made of another: it is not used. Neither
// is an empty one, which no coding gives.
func (f *files) variants(file opened) []int {
	ext := path.Ext(file.name)
	for _, e := range encodings {
		if ext == e.suffix {
			return nil // it was asked for by its own name
		}
	}
	var found []int
	for i, e := range encodings {
		v, err := fs.Stat(f.fs, file.name+e.suffix)
		if err == nil && v.Mode().IsRegular() && v.Size() > 0 && !v.ModTime().Before(file.info.ModTime()) {
			found = append(found, i)
		}
	}
	return found
}

// choose returns the variant that r likes best, and its coding; "" is file
// itself. The error is that r takes none of all these.
func (f *files) choose(r *http.Request, file opened, variants []int) (opened, string, error) {
	accepted := parseAccepted(r.Header["Accept-Encoding"])
	best, most := -1, 0
	for _, i := range variants {
		if q := accepted.of(encodings[i].coding); q > most {
			best, most = i, q
		}
	}
	identity, said := accepted.identity()
	if best >= 0 && !(said && identity > most) {
		if v, err := f.open(file.name + encodings[best].suffix); err == nil {
			return v, encodings[best].coding, nil
		}
	}
	if identity == 0 {
		return opened{}, "", errEncoding
	}
	return opened{}, "", nil
}

// accepted is what an Accept-Encoding says: codings in lower case and how much they
// are liked, in thousandths. nil: there was none.
type accepted map[string]int

// parseAccepted reads the fields of Accept-Encoding. An entry that can't be read
// counts as refused.
func parseAccepted(fields []string) accepted {
	if len(fields) == 0 {
		return nil
	}
	a := accepted{}
	for _, field := range fields {
		for entry := range strings.SplitSeq(field, ",") {
			coding, params, weighted := strings.Cut(entry, ";")
			coding = strings.ToLower(strings.Trim(coding, " \t"))
			if coding == "" {
				continue
			}
			if coding == "x-gzip" {
				coding = "gzip" // RFC 9110, 8.4.1.3
			}
			a[coding] = 1000
			if weighted {
				a[coding] = parseWeight(strings.Trim(params, " \t"))
			}
		}
	}
	return a
}

// parseWeight reads "q=" and a qvalue (RFC 9110, 12.4.2), in thousandths; 0 for
// anything else.
func parseWeight(param string) int {
	if len(param) < 3 || len(param) > len("q=0.000") || param[0]|0x20 != 'q' || param[1] != '=' {
		return 0
	}
	whole, rest := param[2], param[3:]
	if whole != '0' && whole != '1' || rest != "" && rest[0] != '.' {
		return 0
	}
	q, unit := int(whole-'0')*1000, 100
	for i := 1; i < len(rest); i++ {
		if rest[i] < '0' || rest[i] > '9' {
			return 0
		}
		q += int(rest[i]-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}

// of returns how much coding is liked. Who says nothing is sent nothing encoded.
func (a accepted) of(coding string) int {
	if q, ok := a[coding]; ok {
		return q
	}
	return a["*"]
}

// identity returns how much the file as it is is liked: well enough, unless
// something was said.
func (a accepted) identity() (q int, said bool) {
	if q, ok := a["identity"]; ok {
		return q, true
	}
	if q, ok := a["*"]; ok && q == 0 {
		return 0, true
	}
	return 1, false
}
