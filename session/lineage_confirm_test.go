package session

import (
	"fmt"
	"slices"
	"testing"
)

// What a confirmation leaves open, and what it retires. Issues are named by when
// they were made, in seconds.
func TestConfirmKeeps(t *testing.T) {
	tests := []struct {
		name        string
		open        [][2]int64 // issue, parent
		void        int64
		confirm, at int64
		kept        []int64
		wantVoid    int64
	}{
		{"the older one goes, what descends stays", [][2]int64{{10, 1}, {20, 10}, {30, 20}}, 0, 10, 100, []int64{20, 30}, 0},
		{"siblings go, older and newer", [][2]int64{{10, 1}, {20, 1}, {30, 1}}, 0, 20, 100, nil, 30},
		{"what was retired before stays retired", [][2]int64{{10, 1}, {20, 1}}, 50, 20, 100, nil, 50},
		{"a sibling under way stays", [][2]int64{{10, 1}, {71, 1}}, 0, 10, 100, []int64{71}, 0},
		{"one that had the time to arrive goes", [][2]int64{{10, 1}, {70, 1}}, 0, 10, 100, nil, 70},
		{"what descends from a sibling under way stays", [][2]int64{{10, 1}, {71, 1}, {90, 71}}, 0, 10, 100, []int64{71, 90}, 0},
		{"what descends from another branch goes, however new", [][2]int64{{10, 1}, {20, 1}, {95, 20}}, 0, 10, 100, nil, 95},
		{"a sibling under way, of a parent that is not confirmed", [][2]int64{{10, 1}, {20, 10}, {90, 10}}, 0, 20, 100, []int64{90}, 10},
		{"a sibling under way of one whose parent is not known", [][2]int64{{20, 0}, {90, 1}}, 0, 20, 100, []int64{90}, 0},
		{"a newer one whose parent is not known may descend", [][2]int64{{20, 1}, {30, 0}}, 0, 20, 100, []int64{30}, 0},
		{"an older one whose parent is not known does not", [][2]int64{{10, 0}, {20, 1}}, 0, 20, 100, nil, 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lineage{confirmed: 1000, confirmedAt: 1000, void: tt.void * 1000}
			for _, o := range tt.open {
				l.open = append(l.open, issue{made: o[0] * 1000, parent: o[1] * 1000})
			}
			l.confirm(tt.confirm*1000, tt.at*1000)
			var kept []int64
			for _, i := range l.open {
				kept = append(kept, i.made/1000)
			}
			if !slices.Equal(kept, tt.kept) || l.void != tt.wantVoid*1000 || l.confirmed != tt.confirm*1000 || l.confirmedAt != tt.at*1000 {
				t.Errorf("kept %v, void %d, of %+v, want %v, %d", kept, l.void/1000, l, tt.kept, tt.wantVoid)
			}
		})
	}
}

// Two confirmations in quick succession leave what the first one retired its
// half minute; the one after that does not give it another.
func TestGraceOfTwoConfirmations(t *testing.T) {
	l := lineage{confirmed: 1000, confirmedAt: 1000, open: []issue{{made: 2000, parent: 1000}, {made: 3000, parent: 2000}}}
	l.confirm(2000, 100_000)
	l.confirm(3000, 105_000)
	for _, tt := range []struct {
		n, at int64
		want  verdict
	}{
		{1000, 110_000, late}, {2000, 134_999, late}, {2000, 135_000, replay}, {999, 110_000, replay}, {3000, 110_000, valid},
	} {
		if got := l.present(tt.n, tt.at, retireAfter); got != tt.want {
			t.Errorf("%d at %d: got %v, want %v", tt.n, tt.at, got, tt.want)
		}
	}
	l.open = []issue{{made: 200_000, parent: 3000}}
	l.confirm(200_000, 300_000)
	if got := [2]verdict{l.present(3000, 300_001, retireAfter), l.present(2000, 300_001, retireAfter)}; got != [2]verdict{late, replay} {
		t.Errorf("after the third: got %v, want the last one late and the one before a replay", got)
	}
}

// So many open issues mean that somebody takes all of them: then every answer to
// the confirmed one carries one, and to no other.
func TestDueWhenMemoryIsFull(t *testing.T) {
	for n := range maxOpen + 1 {
		l := lineage{confirmed: 1000, confirmedAt: 1000}
		for i := range int64(n) {
			l.open = append(l.open, issue{made: 2000 + i, parent: 1000, seen: 50_000})
		}
		got := fmt.Sprint(l.due(1000, 50_001, rotateOften), n > 1 && l.due(2000, 50_001, rotateOften))
		want := fmt.Sprint(n == 8, false)
		if n == 0 {
			want = "true false"
		}
		if got != want {
			t.Errorf("%d open: got %v, want %v", n, got, want)
		}
	}
}

const rotateOften = 1

// A new issue is above all there were, whatever the clock says: below void it
// would be born retired.
func TestMakeIsAboveAll(t *testing.T) {
	tests := []struct {
		l         lineage
		now, want int64
	}{
		{lineage{confirmed: 5000, void: 9000}, 1000, 9001},
		{lineage{confirmed: 9000, void: 5000}, 1000, 9001},
		{lineage{confirmed: 5000, void: 9000, open: []issue{{made: 12_000}}}, 12_000, 12_001},
		{lineage{confirmed: 5000, void: 9000}, 20_000, 20_000},
	}
	for _, tt := range tests {
		if got := tt.l.make(5000, tt.now); got != tt.want {
			t.Errorf("%+v at %d: made %d, want %d", tt.l, tt.now, got, tt.want)
		}
	}
}

// Of too many issues the oldest unseen one is dropped: whose parent is known
// still and who is in use should be kept.
func TestMakeRoom(t *testing.T) {
	for _, unseen := range []int{-1, 0, 3, 7} {
		l := lineage{confirmed: 1}
		for i := range maxOpen {
			l.open = append(l.open, issue{made: int64(10 + i), seen: 100})
			if unseen >= 0 && i >= unseen {
				l.open[i].seen = 0
			}
		}
		l.makeRoom()
		if l.find(int64(10+max(unseen, 0))) >= 0 || len(l.open) != maxOpen-1 {
			t.Errorf("unseen from %d: kept %+v", unseen, l.open)
		}
		if l.makeRoom(); len(l.open) != maxOpen-1 {
			t.Errorf("dropped one with room for it")
		}
	}
}
