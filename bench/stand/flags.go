package stand

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ParseFlags is flag.Parse for a command whose roles have flags of their own: its
// help leaves those out whose words begin with "internal:". An argument that is no
// flag ends the process.
func ParseFlags() {
	flag.Usage = func() {
		shown := flag.NewFlagSet("", flag.ContinueOnError)
		flag.VisitAll(func(f *flag.Flag) {
			if !strings.HasPrefix(f.Usage, "internal:") {
				shown.Var(f.Value, f.Name, f.Usage)
			}
		})
		fmt.Fprintf(os.Stderr, "Flags of %s:\n", filepath.Base(os.Args[0]))
		shown.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 { // and whatever follows it is not read: a long run would begin
		fmt.Fprintf(os.Stderr, "%q is no flag: they begin with -\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
}

// Keys returns those of all, with commas between.
func Keys[T any](all []T, key func(T) string) string {
	var keys []string
	for _, one := range all {
		keys = append(keys, key(one))
	}
	return strings.Join(keys, ",")
}

// Choose returns those of all whose key is in names, with commas between, or all
// if it is empty; an unknown name is an error.
func Choose[T any](all []T, key func(T) string, names string) ([]T, error) {
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	var chosen []T
	for _, one := range all {
		if i := slices.Index(wanted, key(one)); i >= 0 {
			chosen, wanted = append(chosen, one), slices.Delete(wanted, i, i+1)
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("there is no %q, only %s", wanted, Keys(all, key))
	}
	return chosen, nil
}
