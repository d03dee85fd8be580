package session_test

import "time"

// tree is the rules of ticket rotation, as plainly as they can be written: it
// keeps every issue for ever and looks at all of them each time. Times are
// milliseconds.
type tree struct {
	every     time.Duration
	numeric   bool // every lower number is a replay, and no higher one
	issues    []*leaf
	confirmed *leaf
	since     int64 // when it was confirmed
	before    int64 // the issue confirmed before it, if that was no moment ago
}

type leaf struct {
	n      int64
	parent *leaf
	seen   int64
	gone   bool
}

func newTree(first int64, every time.Duration) *tree {
	root := &leaf{n: first}
	return &tree{every: every, issues: []*leaf{root}, confirmed: root, since: first}
}

func (m *tree) leaf(n int64) *leaf {
	for _, l := range m.issues {
		if l.n == n {
			return l
		}
	}
	return nil
}

// under reports whether l is a or descends from it.
func (l *leaf) under(a *leaf) bool {
	for ; l != nil; l = l.parent {
		if l == a {
			return true
		}
	}
	return false
}

// present reports whether a request with n is served.
func (m *tree) present(n, now int64) bool {
	l := m.leaf(n)
	if l.gone {
		return n >= m.before && now < m.since+30_000
	}
	l.seen = now
	if l == m.confirmed {
		return true
	}
	for a := l; a != nil && a != m.confirmed && !a.gone; a = a.parent {
		if now-a.n >= 60_000 {
			m.confirm(a, now)
			break
		}
		if m.numeric {
			break
		}
	}
	return true
}

func (m *tree) confirm(a *leaf, now int64) {
	for _, l := range m.issues {
		switch {
		case l.gone:
		case m.numeric:
			l.gone = l.n < a.n
		case l.under(a):
		case l != m.confirmed && now-l.n < 30_000 && (l.parent == m.confirmed || a != l.parent && a.under(l.parent)):
			// On its way to whoever still presented a.
		case l.parent != nil && !l.parent.gone && now-l.n < 30_000 && m.spared(l, a, now):
		default:
			l.gone = true
		}
	}
	if now >= m.since+30_000 {
		m.before = m.confirmed.n
	}
	m.confirmed, m.since = a, now
}

// spared reports whether l descends from one that is on its way.
func (m *tree) spared(l, a *leaf, now int64) bool {
	for p := l.parent; p != nil && p != m.confirmed && !p.gone; p = p.parent {
		if now-p.n < 30_000 && (p.parent == m.confirmed || a != p.parent && a.under(p.parent)) {
			return true
		}
	}
	return false
}

// open returns the issues that may be presented and are not confirmed.
func (m *tree) open() (open []*leaf) {
	for _, l := range m.issues {
		if !l.gone && l != m.confirmed {
			open = append(open, l)
		}
	}
	return open
}

// due reports whether the answer to n carries a new issue.
func (m *tree) due(n, now int64) bool {
	l, open := m.leaf(n), m.open()
	if l.gone {
		return false
	}
	if len(open) == 0 {
		return now-n >= m.every.Milliseconds()
	}
	newest := open[len(open)-1]
	if l == newest {
		return false
	}
	if newest.seen == 0 {
		return now-newest.n >= 10_000
	}
	return now-newest.seen >= 30_000
}

// made notes that n was handed out to the holder of parent.
func (m *tree) made(n, parent int64) {
	m.issues = append(m.issues, &leaf{n: n, parent: m.leaf(parent)})
}

// forget is what a session forgets that leaves memory: who was seen when.
func (m *tree) forget() {
	for _, l := range m.issues {
		l.seen = 0
	}
}
