package session

import (
	"slices"
	"time"
)

// The times of ticket rotation. Browsers write their cookies to disk some 30 s
// late, and no request or answer is taken to be under way for longer than 10 s,
// not counting the time that an API takes or that the browser's machine sleeps.
const (
	confirmAfter = 60 * time.Second // an issue still in use so long after it was made is on the browser's disk
	bodyAfter    = 5 * time.Minute  // the same for a request with a body: it may have waited somewhere until that was whole
	retireAfter  = 30 * time.Second // from a confirmation until what it retired is a replay
	unseenFor    = 10 * time.Second // an issue unseen for so long never reached the browser
	lostFor      = 30 * time.Second // an issue seen, and then not for so long, may be lost again
	youngFor     = 30 * time.Second // an issue may be under way to a browser that still presents another one
	answerWithin = 5 * time.Second  // a later answer says nothing of what the browser holds now
)

// maxOpen bounds the unconfirmed issues that a session remembers.
const maxOpen = 8

// lineage is what is remembered of the issues of one ticket. Two parties that
// hold the same ticket can't both be the browser that each new issue goes to: as
// soon as the branch of one is confirmed, whatever the other presents is a
// replay. That holds in whatever order and rhythm they come, because a branch is
// confirmed by its age and not by who came last. All times are milliseconds.
//
// An honest browser never presents what is retired: it has one jar of cookies,
// in which a lost answer or a crash sets it back by half a minute at most, and
// an issue is confirmed only when it has been in use for longer.
//
// All of it is written but what was seen when: without the parents of open
// issues two parties would walk in step across restarts, or in a rhythm in which
// the session leaves memory each time.
type lineage struct {
	confirmed   int64 // the browser certainly keeps this one, or a later one
	confirmedAt int64 // when that was found out
	before      int64 // what is below this was retired before that
	void        int64 // what is not above this, and is neither confirmed nor open, is retired
	open        []issue
}

// issue is one that was handed out and is not confirmed yet.
type issue struct {
	made   int64 // its value, and when it was made
	parent int64 // the issue that was presented when it was made; 0: not known any more
	seen   int64 // when it was last presented; 0: never
}

// verdict is what presenting an issue means.
type verdict int

const (
	valid   verdict = iota
	late            // retired a moment ago: served, but gets no new issue
	replay          // somebody else went on with this ticket
	proving         // valid, and it confirmed an issue: that must be written
)

// present notes that a request came with issue n at now. What was retired less
// than grace ago is late, not a replay.
func (l *lineage) present(n, now int64, grace time.Duration) verdict {
	if n == l.confirmed {
		return valid
	}
	i := l.find(n)
	if i < 0 {
		if n < l.confirmed || n <= l.void {
			if n >= l.before && now < l.confirmedAt+grace.Milliseconds() {
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

// adopt takes in an issue that was made a moment before the process died, or one
// so long unseen that it was dropped. It may descend from any older one.
func (l *lineage) adopt(n int64) int {
	l.makeRoom()
	at := 0
	for at < len(l.open) && l.open[at].made < n {
		at++
	}
	l.open = slices.Insert(l.open, at, issue{made: n})
	return at
}

// confirm makes n the confirmed issue. What may descend from it stays open. So
// does what has just been made for the holder of one of its ancestors: it may
// be on its way to the same browser, which then presents it from now on. Such a
// rival survives one confirmation and not the next: n is no ancestor of it.
func (l *lineage) confirm(n, now int64) {
	trunk := []int64{l.confirmed}
	for i := l.find(n); i >= 0; i = l.find(l.open[i].parent) {
		trunk = append(trunk, l.open[i].parent)
	}
	kept := []int64{n}
	var open []issue
	for _, i := range l.open { // parents stand before their children
		unknown := i.parent == 0 && i.made > n
		rival := now-i.made < youngFor.Milliseconds() && slices.Contains(trunk, i.parent)
		switch {
		case unknown, rival, slices.Contains(kept, i.parent):
			kept = append(kept, i.made)
			open = append(open, i)
		case i.made != n:
			l.void = max(l.void, i.made)
		}
	}
	if now >= l.confirmedAt+retireAfter.Milliseconds() {
		l.before = l.confirmed
	}
	l.confirmed, l.confirmedAt, l.open = n, now, open
}

// due reports whether the answer to a request with issue n may carry a new one.
func (l *lineage) due(n, now int64, every time.Duration) bool {
	at := l.find(n)
	switch {
	case n == l.confirmed && len(l.open) == 0:
		return now-n >= every.Milliseconds()
	case n == l.confirmed && len(l.open) >= maxOpen:
		// Somebody takes all that is handed out and goes on with none of it. Whoever
		// else is there must not get nothing for ever.
		return true
	case n != l.confirmed && (at < 0 || now-l.open[at].seen >= answerWithin.Milliseconds()):
		return false
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

// make hands out a new issue to the holder of n.
func (l *lineage) make(n, now int64) int64 {
	l.makeRoom()
	made := max(now, l.confirmed+1, l.void+1)
	if len(l.open) > 0 {
		made = max(made, l.open[len(l.open)-1].made+1)
	}
	l.open = append(l.open, issue{made: made, parent: n})
	return made
}

// makeRoom drops the oldest issue that nobody has seen, or the oldest, if there
// are too many: a client that never takes a new cookie gets ever more of them.
// Should it come after all, it is adopted.
func (l *lineage) makeRoom() {
	if len(l.open) < maxOpen {
		return
	}
	at := max(0, slices.IndexFunc(l.open, func(i issue) bool { return i.seen == 0 }))
	l.open = slices.Delete(l.open, at, at+1)
}

func (l *lineage) find(n int64) int {
	return slices.IndexFunc(l.open, func(i issue) bool { return i.made == n })
}
