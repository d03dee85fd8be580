//go:build linux && (amd64 || arm64)

package bolt_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// did is something that a traced process did to a file, in the order in which
// it did it.
type did struct {
	what string // write, truncate, sync, rename, or say for a line on stdout
	path string
	off  int64 // of a write; the new size of a truncate
	data []byte
	upTo int // of a sync that succeeded: what was done before this place is durable
}

// tracer follows all threads of a process from system call to system call. That
// shows what no seam in the process can: when a sync really returned.
type tracer struct {
	t     *testing.T
	mem   *os.File
	paths map[int]string     // by file descriptor
	calls map[int]callRecord // the call that a thread is in
	log   []did
}

type callRecord struct {
	nr   uint64
	args [6]uint64
	path string // of openat
	at   int    // length of the log when it began
}

const (
	ptraceExitKill       = 0x100000
	ptraceGetSyscallInfo = 0x420e
	waitThread           = 0x20000000 // __WNOTHREAD: children of this thread
	waitAll              = 0x40000000 // __WALL
)

// traced runs cmd to its end and returns what it did to files.
func traced(t *testing.T, cmd *exec.Cmd) []did {
	t.Helper()
	runtime.LockOSThread() // only the thread that began it may trace
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	tr := &tracer{t: t, paths: map[int]string{1: "stdout"}, calls: map[int]callRecord{}}
	var ws syscall.WaitStatus
	_, err := syscall.Wait4(pid, &ws, waitAll, nil)
	if err == nil {
		err = syscall.PtraceSetOptions(pid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE|ptraceExitKill)
	}
	if err == nil {
		tr.mem, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	}
	if err == nil {
		err = tr.follow(pid)
	}
	if err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("trace: %v", err)
	}
	_ = tr.mem.Close()
	_ = cmd.Process.Release()
	return tr.log
}

func (tr *tracer) follow(pid int) error {
	if err := syscall.PtraceSyscall(pid, 0); err != nil {
		return err
	}
	for {
		var ws syscall.WaitStatus
		tid, err := syscall.Wait4(-1, &ws, waitAll|waitThread, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		signal := 0
		switch {
		case ws.Exited() || ws.Signaled():
			if tid != pid {
				continue
			}
			if ws.ExitStatus() != 0 {
				return fmt.Errorf("the process ended with %v", ws)
			}
			return nil
		case ws.StopSignal() == syscall.SIGTRAP|0x80:
			tr.stopped(tid)
		case ws.StopSignal() != syscall.SIGTRAP && ws.StopSignal() != syscall.SIGSTOP:
			signal = int(ws.StopSignal())
		}
		if err := syscall.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
}

// stopped looks at a thread that enters or leaves a system call.
func (tr *tracer) stopped(tid int) {
	var info [88]byte
	n, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, ptraceGetSyscallInfo, uintptr(tid), uintptr(len(info)), uintptr(unsafe.Pointer(&info[0])), 0, 0)
	if errno != 0 || n == 0 {
		return // it is dying
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(info[24+8*i:]) }
	switch info[0] {
	case 1:
		c := callRecord{nr: word(0), at: len(tr.log)}
		for i := range c.args {
			c.args[i] = word(i + 1)
		}
		tr.entered(&c)
		tr.calls[tid] = c
	case 2:
		tr.left(tr.calls[tid], int64(word(0)))
		delete(tr.calls, tid)
	}
}

func (tr *tracer) entered(c *callRecord) {
	path := tr.paths[int(c.args[0])]
	switch c.nr {
	case syscall.SYS_OPENAT:
		c.path = tr.text(c.args[1])
	case syscall.SYS_WRITE, syscall.SYS_PWRITE64:
		if path == "" {
			return
		}
		b := make([]byte, c.args[2])
		if _, err := tr.mem.ReadAt(b, int64(c.args[1])); err != nil {
			tr.t.Errorf("memory of the traced process: %v", err)
		}
		d := did{what: "write", path: path, data: b}
		if path == "stdout" {
			d.what = "say"
		}
		if c.nr == syscall.SYS_PWRITE64 {
			d.off = int64(c.args[3])
		}
		tr.log = append(tr.log, d)
	case syscall.SYS_FTRUNCATE:
		tr.log = append(tr.log, did{what: "truncate", path: path, off: int64(c.args[1])})
	case syscall.SYS_RENAMEAT:
		tr.log = append(tr.log, did{what: "rename", path: tr.text(c.args[3])})
	}
}

func (tr *tracer) left(c callRecord, result int64) {
	if result < 0 {
		return
	}
	switch c.nr {
	case syscall.SYS_OPENAT:
		tr.paths[int(result)] = c.path
		if c.args[2]&syscall.O_TRUNC != 0 {
			tr.log = append(tr.log, did{what: "truncate", path: c.path})
		}
	case syscall.SYS_CLOSE:
		delete(tr.paths, int(c.args[0]))
	case syscall.SYS_FSYNC, syscall.SYS_FDATASYNC:
		tr.log = append(tr.log, did{what: "sync", path: tr.paths[int(c.args[0])], upTo: c.at})
	}
}

// text reads a string of the process, of a path's length at most.
func (tr *tracer) text(at uint64) string {
	var out []byte
	for len(out) < 4096 && bytes.IndexByte(out, 0) < 0 {
		var b [64]byte
		n, err := tr.mem.ReadAt(b[:], int64(at)+int64(len(out)))
		out = append(out, b[:n]...)
		if err != nil {
			break
		}
	}
	text, _, _ := strings.Cut(string(out), "\x00")
	return text
}
