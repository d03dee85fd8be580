// Package stand is what every bench stands on: children that are bound to one
// core, their CPU time and memory from /proc, Cloakroom with a provider and a
// real sign-in, and the tables and plots that the figures end in.
//
// It is for Linux: it needs /proc and taskset.
package stand

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// Command says what to start, and where.
type Command struct {
	Path string
	Args []string
	Env  []string // beside this process's own
	Dir  string

	Core     string // the cores it may run on, as taskset writes them; empty: all
	MaxProcs int    // GOMAXPROCS; 0 leaves it alone
	Nice     int    // its priority, from -20 (first) to 19; as far as the machine allows
	Address  string // where it will listen; empty: Start doesn't wait

	// Ready is asked, when it listens, whether it is: nil means that it is.
	Ready func() bool
}

// Process is one running child.
type Process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	err   error         // after ended
	Took  time.Duration // from the start until it listened and was ready
}

const (
	startTimeout = 60 * time.Second // a big store takes a while to open
	stopTimeout  = 30 * time.Second
)

// Start starts a command and waits until it listens. What it writes to its error
// output goes to this process's. Stop it when done.
func Start(c Command) (*Process, error) {
	name, args := c.Path, c.Args
	if c.Core != "" {
		name, args = "taskset", append([]string{"-c", c.Core, c.Path}, c.Args...)
	}
	if c.Nice != 0 {
		name, args = "nice", append([]string{"-n", strconv.Itoa(c.Nice), name}, args...)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stderr = c.Dir, os.Stderr
	cmd.SysProcAttr = endWithUs
	cmd.Env = append(os.Environ(), c.Env...)
	if c.MaxProcs > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(c.MaxProcs))
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd: cmd, ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	if err := p.wait(c); err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	p.Took = time.Since(began)
	return p, nil
}

// wait returns when the child is ready, or has no hope to be.
func (p *Process) wait(c Command) error {
	deadline := time.After(startTimeout)
	for c.Address != "" && (!listens(c.Address) || c.Ready != nil && !c.Ready()) {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended before it listened at %s: %w", c.Path, c.Address, p.err)
		case <-deadline:
			return fmt.Errorf("%s isn't ready at %s after %v", c.Path, c.Address, startTimeout)
		case <-time.After(time.Millisecond): // short, as Took is a figure of some benches
		}
	}
	return nil
}

// PID returns the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Nice returns the priority that the child really has.
func (p *Process) Nice() (int, error) {
	n, err := syscall.Getpriority(syscall.PRIO_PROCESS, p.PID())
	return 20 - n, err // as the system call has it, from 40 (first) to 1
}

// Wait waits for the child to end by itself.
func (p *Process) Wait() error {
	<-p.ended
	return p.err
}

// Stop terminates the child (SIGTERM) and waits for its end; one that doesn't heed it is
// killed. Stopping twice does no harm.
func (p *Process) Stop() error {
	if p == nil {
		return nil
	}
	select {
	case <-p.ended:
		return nil
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopTimeout):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(fmt.Errorf("%s did not stop within %v", p.cmd.Path, stopTimeout), err)
	}
}

// Kill ends the child as a crash would.
func (p *Process) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.ended
	return err
}

// FreeAddress returns an address of 127.0.0.1 where nothing listens now.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String(), nil
}

func listens(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
