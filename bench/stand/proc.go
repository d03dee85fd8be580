package stand

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// CPU is processor time. Its grain is 10 ms.
type CPU struct{ User, System time.Duration }

// Total returns user and system time together.
func (c CPU) Total() time.Duration { return c.User + c.System }

// Sub returns what was used since earlier.
func (c CPU) Sub(earlier CPU) CPU { return CPU{c.User - earlier.User, c.System - earlier.System} }

// Memory is resident memory in bytes, now and at its highest.
type Memory struct{ RSS, Peak int64 }

const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux

// CPU returns the time that the child and all its descendants have used,
// those that have ended and were waited for included.
func (p *Process) CPU() (CPU, error) {
	var sum CPU
	err := p.each(func(s procStat, _ string) error {
		sum.User += s.cpu.User
		sum.System += s.cpu.System
		return nil
	})
	return sum, err
}

// Memory returns the memory of the child and all its living descendants. What
// they share is counted once for each; the peaks need not have been together.
func (p *Process) Memory() (Memory, error) {
	var sum Memory
	err := p.each(func(_ procStat, dir string) error {
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			return nil // it ended meanwhile
		}
		m, err := parseStatus(status)
		sum.RSS += m.RSS
		sum.Peak += m.Peak
		return err
	})
	return sum, err
}

// each calls f for the child and each of its descendants, with its folder.
func (p *Process) each(f func(procStat, string) error) error {
	folders, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	all := map[int]procStat{}
	for _, folder := range folders {
		pid, err := strconv.Atoi(folder.Name())
		if err != nil {
			continue
		}
		line, err := os.ReadFile("/proc/" + folder.Name() + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		if all[pid], err = parseStat(string(line)); err != nil {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	if _, ok := all[p.PID()]; !ok {
		return fmt.Errorf("process %d is gone", p.PID())
	}
	for pid, s := range all {
		if !descends(all, pid, p.PID()) {
			continue
		}
		if err := f(s, "/proc/"+strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

func descends(all map[int]procStat, pid, ancestor int) bool {
	for pid > 1 {
		if pid == ancestor {
			return true
		}
		pid = all[pid].parent
	}
	return false
}

type procStat struct {
	parent int
	cpu    CPU
}

// parseStat reads a line of /proc/PID/stat.
func parseStat(line string) (procStat, error) {
	// The name, in brackets, may hold spaces and brackets: fields are counted
	// behind its last one.
	end := strings.LastIndex(line, ")")
	fields := strings.Fields(line[end+1:])
	if end < 0 || len(fields) < 15 {
		return procStat{}, fmt.Errorf("stat: %q has too few fields", line)
	}
	var n [5]int64
	for i, at := range []int{1, 11, 12, 13, 14} { // ppid utime stime cutime cstime
		var err error
		if n[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return procStat{}, fmt.Errorf("stat: %w", err)
		}
	}
	return procStat{int(n[0]), CPU{time.Duration(n[1]+n[3]) * tick, time.Duration(n[2]+n[4]) * tick}}, nil
}

// parseStatus reads /proc/PID/status. A process that is just ending has no
// memory there.
func parseStatus(status []byte) (Memory, error) {
	var m Memory
	for s := bufio.NewScanner(bytes.NewReader(status)); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m, fmt.Errorf("status: %w", err)
		}
		if name == "VmRSS" {
			m.RSS = kib << 10
		} else {
			m.Peak = kib << 10
		}
	}
	return m, nil
}
