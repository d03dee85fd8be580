package demo

import (
	"embed"
	"io/fs"
)

//go:embed spa
var spaFiles embed.FS

// SPA returns the sample single-page app's files: index.html and what it
// loads. It uses the paths /bff/ and /api/ of its own origin, routes /,
// /orders and /about itself, and runs under a policy of default-src 'self'.
func SPA() fs.FS {
	sub, err := fs.Sub(spaFiles, "spa")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	return sub
}
