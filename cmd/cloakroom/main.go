// Command cloakroom is the Backend-for-Frontend session proxy: it reads
// config.yaml, wires the packages of this module together and serves.
//
// Exit codes are for scripts: 0 it worked, 1 it didn't, 2 the command line is
// wrong, 3 the configuration is wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// Exit codes, documented in docs/operating.md.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitConfig = 3
)

// cli is the command line. Each command's Run gets the [environment].
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve."`
	Demo    demoCmd    `cmd:"" help:"Serve a complete demo on this machine: provider, API, app and Cloakroom in front."`
	Check   checkCmd   `cmd:"" help:"Check the configuration and everything it refers to, without serving."`
	Keys    keysCmd    `cmd:"" help:"Make server keys, and see which may go."`
	Store   storeCmd   `cmd:"" help:"Check, compact, back up and restore the store's file."`
	Health  healthCmd  `cmd:"" help:"Ask a running Cloakroom on this machine whether it is well. For containers."`
	Version versionCmd `cmd:"" help:"Print the version."`

	ShowVersion kong.VersionFlag `name:"version" help:"Print the version."`
}

// configFlag is the option that most commands share.
type configFlag struct {
	Config string `short:"c" default:"config.yaml" placeholder:"FILE" help:"The configuration file (${default})."`
}

// environment is what a command sees of the world.
type environment struct {
	ctx            context.Context // ends at SIGINT or SIGTERM
	stdout, stderr io.Writer
	getenv         func(string) (string, bool)
}

// say writes a line to standard output.
func (e *environment) say(format string, args ...any) {
	_, _ = fmt.Fprintf(e.stdout, format+"\n", args...)
}

// note writes a line to standard error: what a person should know but a pipe
// should not get.
func (e *environment) note(format string, args ...any) {
	_, _ = fmt.Fprintf(e.stderr, format+"\n", args...)
}

// hinted is an error and what to do about it.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// misfit is a hinted error that no restart mends, as the configuration's own:
// its exit code is theirs.
type misfit struct{ hinted }

func (m misfit) Unwrap() error { return m.hinted }

func main() {
	ctx := untilSignal()
	env := &environment{ctx: ctx, stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}
	os.Exit(run(env, os.Args[1:]))
}

// untilSignal returns a context that ends at SIGINT or SIGTERM. A second one
// ends the process at once, however soon it comes.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		second := <-signals
		signal.Reset(syscall.SIGINT, syscall.SIGTERM)
		if self, err := os.FindProcess(os.Getpid()); err != nil || self.Signal(second) != nil {
			os.Exit(exitFailed)
		}
	}()
	return ctx
}

// run executes one command line and returns the exit code.
func run(env *environment, args []string) int {
	var commands cli
	helped := false
	parser, err := kong.New(&commands,
		kong.Name("cloakroom"),
		kong.Description("Signs the users of a single-page app in, keeps their tokens on the server, and puts a fresh one on each API call."),
		kong.Writers(env.stdout, env.stderr),
		kong.Vars{"version": "cloakroom " + version(), "demo_secret": demoSecret},
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		env.note("cloakroom: %v", err)
		return exitFailed
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := parser.Parse(args)
	switch {
	case helped:
		return exitOK
	case err != nil:
		env.note("cloakroom: %v", err)
		env.note("hint: %s", usageHint(err))
		return exitUsage
	}
	return report(env, command.Run(env))
}

// usageHint names the help that is nearest to a wrong command line.
func usageHint(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) {
		if node := wrong.Context.Selected(); node != nil {
			return "cloakroom " + node.Path() + " --help says more"
		}
		for _, step := range slices.Backward(wrong.Context.Path) {
			if step.Command != nil {
				return "cloakroom " + step.Command.Name + " --help says more"
			}
		}
	}
	return "cloakroom --help lists the commands"
}

// report tells a person what went wrong and returns the exit code.
func report(env *environment, err error) int {
	var problems Problems
	var h hinted
	var m misfit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &problems):
		env.note("%v", problems)
		if slices.ContainsFunc(problems, func(p Problem) bool { return !p.Outside }) {
			env.note("hint: config.yaml in Cloakroom's repository explains every option")
		}
		return exitConfig
	case errors.As(err, &h):
		env.note("cloakroom: %v\nhint: %s", err, strings.TrimSpace(h.hint))
		if errors.As(err, &m) {
			return exitConfig
		}
	default:
		env.note("cloakroom: %v", err)
	}
	return exitFailed
}
