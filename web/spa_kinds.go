package web

import (
	"slices"
	"strings"
)

// pageKinds are the types that browsers show as a page of this origin, with scripts.
var pageKinds = []string{"text/html", "application/xhtml+xml"}

// isPage reports whether browsers may take what is of one of these types for a page of
// this origin. A Content-Type may be a list, of which they take the last that they
// can read (Fetch, 2.2.6), and end at a bracket or a blank: what could be a page is
// one.
func isPage(types ...string) bool {
	return anyKind(types, func(kind string) bool { return slices.Contains(pageKinds, kind) })
}

// isMarkup reports whether what is of one of these types is shown as a document, and
// may hold scripts, though it is no page of an application: XML and drawings.
func isMarkup(types ...string) bool {
	return anyKind(types, func(kind string) bool {
		return kind == "text/xml" || kind == "application/xml" || kind == "text/xsl" || strings.HasSuffix(kind, "+xml")
	})
}

// isXML is isMarkup without drawings, which are assets as other images are.
func isXML(types ...string) bool {
	return isMarkup(types...) && !anyKind(types, func(kind string) bool { return kind == "image/svg+xml" })
}

func anyKind(types []string, is func(kind string) bool) bool {
	for _, list := range types {
		for kind := range strings.SplitSeq(list, ",") {
			kind = strings.TrimLeft(kind, " \t")
			if end := strings.IndexAny(kind, "; \t("); end >= 0 {
				kind = kind[:end]
			}
			if is(strings.ToLower(kind)) {
				return true
			}
		}
	}
	return false
}

// markupPolicy lets a document that is no page run nothing, as images never do.
const markupPolicy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
