package main_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"
)

// soakLog writes a process's log into a file and tells when it serves.
type soakLog struct {
	file    *os.File
	serving chan struct{}
	once    sync.Once
}

func (l *soakLog) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"msg":"serving"`)) {
		l.once.Do(func() { close(l.serving) })
	}
	return l.file.Write(b)
}

// server is one process of the soak.
type server struct {
	cmd   *exec.Cmd
	fault string // where it is to die
	ended chan struct{}
}

// points are where a process may kill itself.
var points = []string{"before-intent", "after-intent", "after-response", "before-commit", "after-commit", "after-create", "after-delete"}

// randomFault is a point that a process will pass before long.
func randomFault() string {
	point, most := points[rand.N(len(points))], 200
	if point == "after-create" || point == "after-delete" {
		most = 3
	}
	return fmt.Sprintf("%s:%d", point, 1+rand.N(most))
}

// start starts a process. fault is where it is to die; "" is nowhere.
func (x *soak) start(fault string) (*server, error) {
	path, err := faultBinary()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(path, "serve"), fault: fault, ended: make(chan struct{})}
	log := &soakLog{file: x.log, serving: make(chan struct{})}
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = x.dir, log, log
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + x.dir, "CLOAKROOM_FAULT=" + fault}
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	select {
	case <-log.serving:
	case <-s.ended:
		return nil, fmt.Errorf("it does not start; see the log")
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		return nil, fmt.Errorf("it does not start in 20 s")
	}
	x.slowestStart = max(x.slowestStart, time.Since(begun))
	return s, nil
}

// killEvery kills and restarts the process until ctx ends, and leaves a last one
// running, which nobody kills.
func (x *soak) killEvery(ctx context.Context, s *server, least time.Duration) (*server, error) {
	for {
		pause := time.NewTimer(least + rand.N(2*least))
		select {
		case <-ctx.Done():
		case <-pause.C:
		case <-s.ended:
		}
		pause.Stop()
		if ctx.Err() != nil {
			return x.restart(s, syscall.SIGTERM, "")
		}
		signal, fault := syscall.SIGKILL, ""
		if rand.N(6) == 0 {
			signal = syscall.SIGTERM
		}
		if rand.N(2) == 0 {
			fault = randomFault()
		}
		var err error
		if s, err = x.restart(s, signal, fault); err != nil {
			return nil, err
		}
	}
}

// restart ends a process, if it has not ended itself, and starts the next one.
func (x *soak) restart(s *server, signal syscall.Signal, fault string) (*server, error) {
	down := span{from: time.Now()}
	kind := s.end(signal)
	ended := time.Now()
	next, err := x.start(fault)
	if err != nil {
		return nil, err
	}
	down.to = time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ends[kind]++
	x.downs = append(x.downs, down)
	if kind != endStopped {
		x.kills = append(x.kills, span{down.from, ended})
	}
	return next, nil
}

// How processes end.
const (
	endOutside = "killed from outside"
	endSelf    = "killed at a fault point"
	endStopped = "stopped with SIGTERM"
	endCrashed = "ended for no reason"
)

// end ends the process, unless it has ended, and says how it did.
func (s *server) end(signal syscall.Signal) string {
	select {
	case <-s.ended:
		if s.fault != "" && s.cmd.ProcessState.ExitCode() == -1 {
			return endSelf
		}
		return endCrashed
	default:
	}
	_ = s.cmd.Process.Signal(signal)
	<-s.ended
	if signal == syscall.SIGTERM {
		return endStopped
	}
	return endOutside
}

// killed returns when processes were killed.
func (x *soak) killed() []span {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.kills)
}
