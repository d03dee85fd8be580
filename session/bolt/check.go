package bolt

import "os"

func check(f *os.File, pageSize int) error { return nil }
