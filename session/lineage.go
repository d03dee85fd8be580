package session

import "time"

// The times of ticket rotation. Browsers write their cookies to disk some 30 s
// late, and no request or answer is taken to be under way for longer than 15 s.
const (
	confirmAfter = 60 * time.Second // an issue still in use so long after it was made is on the browser's disk
	retireAfter  = 30 * time.Second // from a confirmation until what it retired is a replay
	unseenFor    = 10 * time.Second // an issue unseen for so long never reached the browser
	lostFor      = 30 * time.Second // an issue seen, and then not for so long, may be lost again
)

// maxOpen bounds the unconfirmed issues that a session remembers.
const maxOpen = 16

// lineage is what is remembered of the issues of one ticket. Two parties that
// hold the same ticket can't both be the browser that each new issue goes to: as
// soon as the branch of one is confirmed, whatever the other presents is a
// replay. That holds in whatever order and rhythm they come, because a branch is
// confirmed by its age and not by who came last. All times are milliseconds.
//
// An honest browser never presents what is retired: it has one jar of cookies,
// in which a lost answer or a crash sets it back by half a minute at most, and
// an issue is confirmed only when it has been in use for longer.
type lineage struct {
	confirmed   int64 // the browser certainly keeps this one, or a later one
	confirmedAt int64 // when that was found out
	void        int64 // what is not above this, and is neither confirmed nor open, is retired
	open        []issue
}

// issue is one that was handed out and is not confirmed yet.
type issue struct {
	made   int64 // its value, and when it was made
	parent int64 // the issue that was presented when it was made
	seen   int64 // when it was last presented; 0: never
	found  bool  // made before this process: parent is a guess
}

// verdict is what presenting an issue means.
type verdict int

const (
	valid   verdict = iota
	late            // retired a moment ago: served, but gets no new issue
	replay          // somebody else went on with this ticket
	proving         // valid, and it confirmed an issue: that must be written
)

// present notes that a request came with issue n at now.
func (l *lineage) present(n, now int64) verdict {
	if n == l.confirmed {
		return valid
	}
	i := l.find(n)
	if i < 0 {
		if n < l.confirmed || n <= l.void {
			if now < l.confirmedAt+retireAfter.Milliseconds() {
				return late
			}
			return replay
		}
		i = l.adopt(n)
	}
	l.open[i].seen = now
	for ; i >= 0; i = l.find(l.open[i].parent) {
		if now-l.open[i].made >= confirmAfter.Milliseconds() {
			l.confirm(l.open[i].made, now)
			return proving
		}
	}
	return valid
}

// adopt takes in an issue that was made before this process, or one so long
// unseen that it was dropped. Among such issues each is taken for the child of
// the one before it: in doubt for the browser.
func (l *lineage) adopt(n int64) int {
	at, parent := 0, l.confirmed
	for at < len(l.open) && l.open[at].made < n {
		if l.open[at].found {
			parent = l.open[at].made
		}
		at++
	}
	for i := at; i < len(l.open); i++ {
		if l.open[i].found {
			if l.open[i].parent == parent {
				l.open[i].parent = n
			}
			break
		}
	}
	l.open = append(l.open, issue{})
	copy(l.open[at+1:], l.open[at:])
	l.open[at] = issue{made: n, parent: parent, found: true}
	return at
}

// confirm makes n the confirmed issue. Only what descends from it stays open.
func (l *lineage) confirm(n, now int64) {
	kept := map[int64]bool{n: true}
	var open []issue
	for _, i := range l.open { // parents stand before their children
		if kept[i.parent] {
			kept[i.made] = true
			open = append(open, i)
		} else if i.made != n {
			l.void = max(l.void, i.made)
		}
	}
	l.confirmed, l.confirmedAt, l.open = n, now, open
}

// due reports whether the answer to a request with issue n may carry a new one.
func (l *lineage) due(n, now int64, every time.Duration) bool {
	if n != l.confirmed && l.find(n) < 0 {
		return false
	}
	if len(l.open) == 0 {
		return now-n >= every.Milliseconds()
	}
	newest := l.open[len(l.open)-1]
	switch {
	case n == newest.made:
		return false // it is the outstanding one
	case newest.seen == 0:
		return now-newest.made >= unseenFor.Milliseconds()
	}
	return now-newest.seen >= lostFor.Milliseconds()
}

// make hands out a new issue to the holder of n. It returns 0 if there are too
// many.
func (l *lineage) make(n, now int64) int64 {
	if len(l.open) >= maxOpen/2 {
		l.prune()
	}
	if len(l.open) >= maxOpen {
		return 0
	}
	made := max(now, l.confirmed+1, l.void+1)
	if len(l.open) > 0 {
		made = max(made, l.open[len(l.open)-1].made+1)
	}
	l.open = append(l.open, issue{made: made, parent: n})
	return made
}

// prune drops the oldest issue that nobody has seen: a client that never takes
// a new cookie would get one every few seconds. Should it come after all, it is
// adopted.
func (l *lineage) prune() {
	for i := range l.open {
		if l.open[i].seen == 0 {
			l.open = append(l.open[:i:i], l.open[i+1:]...)
			return
		}
	}
}

// lasting returns what must be written of the retired issues: up to which they
// are void. What is still open must not look retired to whoever reads that.
func (l *lineage) lasting() int64 {
	if len(l.open) > 0 && l.open[0].made <= l.void {
		return 0
	}
	return l.void
}

func (l *lineage) find(n int64) int {
	for i := range l.open {
		if l.open[i].made == n {
			return i
		}
	}
	return -1
}
