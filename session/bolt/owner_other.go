//go:build !unix

package bolt

import "os"

// keepOwner does nothing where files have no owner in this sense.
func keepOwner(*os.File, string) error { return nil }
