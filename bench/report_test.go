package main

import (
	"errors"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	all := []*contender{{key: "bare", name: "bare"}, {key: "ours", name: "ours"}, {key: "gone", name: "gone"}}
	r := results{
		"bare": {{rate: 100, user: 10, system: 10}, {rate: 200, user: 20, system: 20}, {rate: 300, user: 30, system: 30}},
		"ours": {{rate: 100, user: 10, system: 12}, {rate: 200, user: 20, system: 20}, {rate: 300, user: 30, system: 36}},
	}
	got := r.table(all, scenario{})
	for _, want := range []string{
		"| bare | 200 (100–300) |", "| 1.00 (1.00–1.00) |",
		"| ours |", "| 1.10 (1.00–1.10) |", // round by round
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(got, "gone") {
		t.Errorf("has a row for one that was left out:\n%s", got)
	}
}

// A contender that is left out is named in the report, with what to install.
func TestReportOfMissing(t *testing.T) {
	_, err := program("no-such-program", "some-package")
	var absent missing
	if !errors.As(err, &absent) || !strings.Contains(err.Error(), "some-package") {
		t.Errorf("got %v, want what to install", err)
	}
	report := run{notes: []string{"nginx is left out: " + absent.Error()}}.markdown(nil)
	if !strings.Contains(report, "nginx is left out: not installed; Debian's package is some-package") {
		t.Errorf("the report keeps silent about it:\n%s", report)
	}
}

// Contenders are stopped and started where the setup changes; a setup in two
// places would do that twice.
func TestScenariosOfOneSetupStandTogether(t *testing.T) {
	seen := map[setup]bool{}
	for i, s := range scenarios {
		if (i == 0 || scenarios[i-1].setup != s.setup) && seen[s.setup] {
			t.Errorf("%s: its setup was left before", s.key)
		}
		seen[s.setup] = true
	}
}
