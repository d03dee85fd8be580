package main

import (
	"runtime"
	"runtime/debug"
	"strings"
)

type versionCmd struct{}

// Run prints one line: the version, the commit it was built from, and Go's.
func (versionCmd) Run(env *environment) error {
	env.say("cloakroom %s", version())
	return nil
}

// release is the version that a build was told to be, with
// -ldflags "-X main.release=v1.2.3": where the build has no repository around it.
var release string

// version says which build this is, as far as the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown " + runtime.Version()
	}
	name, commit, changed := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " (with local changes)"
		}
	}
	// What Go makes up of a commit that has no tag says nothing beside the commit.
	if name == "" || commit != "" && strings.Contains(name, commit[1:]) {
		name = "(devel)"
	}
	if release != "" {
		name = release
	}
	return name + commit + changed + " " + info.GoVersion + " " + runtime.GOOS + "/" + runtime.GOARCH
}
