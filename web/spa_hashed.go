package web

import (
	"path"
	"slices"
	"strings"
)

// bundled are the kinds of files whose names bundlers make. Documents and pictures have
// names that people make, and those look like anything.
var bundled = []string{".js", ".mjs", ".css", ".map", ".wasm", ".woff2", ".woff", ".ttf", ".otf"}

// leastHash is how many characters of a hash bundlers put into a name, at least.
const leastHash = 8

// hashedName reports whether a file's name has a hash of its content in it, as
// index-BX3kf9Qa.js and main.0a1b2c3d4e.js do: the last part of the name, behind "-"
// or ".". Such a file never changes under its name. A name that people made must not
// be taken for one, since browsers would keep it for a year: so when in doubt it
// isn't.
func hashedName(name string) bool {
	name = path.Base(name)
	kind := strings.ToLower(path.Ext(name))
	stem := strings.TrimSuffix(name, path.Ext(name))
	at := strings.LastIndexAny(stem, "-.")
	if at < 0 {
		return false
	}
	part := stem[at+1:]
	if len(part) < leastHash || longestDigits(part) >= leastHash { // a date, a number
		return false
	}
	if !slices.Contains(bundled, kind) {
		return len(part) >= 2*leastHash && isHex(part)
	}
	return isHex(part) || isMixed(part)
}

// isHex reports whether part is a hash in hexadecimal: digits and letters have
// changed three times at least, which words with a number don't do.
func isHex(part string) bool {
	changes := 0
	for i := range len(part) {
		c := part[i]
		if !digit(c) && (c < 'a' || c > 'f') {
			return false
		}
		if i > 0 && digit(c) != digit(part[i-1]) {
			changes++
		}
	}
	return changes >= 3
}

// isMixed reports whether part is a hash with capitals, as in base64url: its
// letters stand between digits in other ways than CamelCase words do; without digits
// they don't look like one that holds an acronym either.
func isMixed(part string) bool {
	if strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return false
	}
	capitals := strings.ContainsFunc(part, func(r rune) bool { return 'A' <= r && r <= 'Z' })
	words := strings.FieldsFunc(part, func(r rune) bool { return '0' <= r && r <= '9' || r == '_' })
	digits := longestDigits(part) > 0
	strange, short := 0, 0
	for _, word := range words {
		if strangeCase(word) {
			strange++
		}
		if len(word) <= 2 {
			short++
		}
	}
	if digits {
		return capitals && (strange > 0 || short >= 2)
	}
	return strange > 0 && loneLower(part)
}

// strangeCase reports whether the letters of word have capitals where no CamelCase
// word has them: side by side, or at its end.
func strangeCase(word string) bool {
	for i := 1; i < len(word); i++ {
		if capital(word[i]) && (i == len(word)-1 || capital(word[i-1])) {
			return true
		}
	}
	return false
}

// loneLower reports whether somewhere a single small letter stands among capitals:
// words have more of them between two.
func loneLower(part string) bool {
	for i := 1; i < len(part)-1; i++ {
		if capital(part[i-1]) && !capital(part[i]) && capital(part[i+1]) {
			return true
		}
	}
	return false
}

// longestDigits returns the length of the longest run of digits.
func longestDigits(part string) int {
	longest, run := 0, 0
	for i := range len(part) {
		if run++; !digit(part[i]) {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

func digit(c byte) bool   { return '0' <= c && c <= '9' }
func capital(c byte) bool { return 'A' <= c && c <= 'Z' }
