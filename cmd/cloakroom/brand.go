package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/cloakroom/cloakroom/web"
)

// loadPages reads the folder of pages.dir, if there is one. Nothing is read that a
// link in it leads to outside. The error joins all that is wrong.
func loadPages(cfg *Config) (*web.Pages, error) {
	var folder fs.FS
	if cfg.Pages.Dir != "" {
		root, err := os.OpenRoot(cfg.Pages.Dir)
		if err != nil {
			return nil, pathCause(err)
		}
		defer func() { _ = root.Close() }()
		folder = root.FS()
	}
	return web.LoadPages(folder, cfg.Pages.Name, providerNames(cfg))
}

// pages complains about everything that is wrong with the folder of pages.dir.
func (c *complaints) pages(cfg *Config) {
	const key = "pages.dir"
	_, err := loadPages(cfg)
	var several interface{ Unwrap() []error }
	switch {
	case err == nil:
	case errors.As(err, &several):
		for _, one := range several.Unwrap() {
			c.errorf(key, "%v", one)
		}
	default:
		c.unreadable(key, cfg.Pages.Dir, err)
	}
}
