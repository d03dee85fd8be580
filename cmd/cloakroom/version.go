package main

import (
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints one line: the version, the commit it was built from, and Go's.
func (versionCmd) Run(env *environment) error {
	env.say("cloakroom %s", version())
	return nil
}

// version says which build this is, as far as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown " + runtime.Version()
	}
	name, commit, changed := info.Main.Version, "", ""
	if name == "" {
		name = "(devel)"
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " (with local changes)"
		}
	}
	return name + commit + changed + " " + info.GoVersion + " " + runtime.GOOS + "/" + runtime.GOARCH
}
