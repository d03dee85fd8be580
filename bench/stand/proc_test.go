package stand

import (
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	tests := []struct {
		name, line string
		want       procStat
		fails      bool
	}{
		{"plain", "42 (nginx) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 0 0 20 0 1 0 5", procStat{7, CPU{110 * time.Millisecond, 220 * time.Millisecond}}, false},
		{"ended children count", "42 (nginx) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 3 4 20 0 1 0 5", procStat{7, CPU{140 * time.Millisecond, 260 * time.Millisecond}}, false},
		{"brackets in the name", "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 5", procStat{7, CPU{10 * time.Millisecond, 20 * time.Millisecond}}, false},
		{"too short", "42 (nginx) S 7", procStat{}, true},
		{"not a number", "42 (nginx) S x 42 42 0 -1 4194560 100 0 0 0 11 22 0 0 20", procStat{}, true},
		{"empty", "", procStat{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseStat(tt.line)
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus([]byte("Name:\tx\nVmHWM:\t   20 kB\nVmRSS:\t   10 kB\nThreads:\t1\n"))
	if want := (Memory{10 << 10, 20 << 10}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := parseStatus([]byte("VmRSS:\tmany\n")); err == nil {
		t.Error("took what is no number")
	}
}

// A child's child counts, and one of somebody else doesn't.
func TestDescendants(t *testing.T) {
	all := map[int]procStat{1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 20: {parent: 1}}
	for pid, want := range map[int]bool{10: true, 11: true, 12: true, 20: false, 1: false} {
		if got := descends(all, pid, 10); got != want {
			t.Errorf("%d: got %v, want %v", pid, got, want)
		}
	}
}

func TestProcess(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("no taskset here")
	}
	p, err := Start(Command{Path: "sh", Args: []string{"-c", "exec sleep 60"}, Core: "0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CPU(); err != nil {
		t.Error(err)
	}
	if m, err := p.Memory(); err != nil || m.RSS == 0 || m.Peak < m.RSS {
		t.Errorf("got %v, %v", m, err)
	}
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	if err := p.Stop(); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	if _, err := p.CPU(); err == nil {
		t.Error("a process that is gone still has CPU time")
	}
}

func TestStartOfWhatNeverListens(t *testing.T) {
	address, err := FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(Command{Path: "false", Address: address}); err == nil {
		t.Error("a process that ended counts as started")
	}
}
