package web

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/cloakroom/cloakroom/session"
)

// knownTickets bounds what is remembered of tickets: some 400 bytes each. It is a
// power of two.
const knownTickets = 1 << 15

// known remembers which tickets the values of cookies were found to be, so that a
// page's calls do not have theirs verified and opened each time. It says nothing of
// the session: whether that is there, and whether the ticket is still good for it,
// is asked for every call. What is not remembered, or not any more, is opened again.
//
// It belongs to the keys that opened the tickets, and goes with them. It is safe for
// concurrent use, and nobody waits for anybody.
type known struct {
	seed  maphash.Seed // nobody can choose values that displace each other
	slots [knownTickets]atomic.Pointer[knownTicket]
}

type knownTicket struct {
	value  string // of the cookie
	ticket session.Ticket
}

func newKnown() *known { return &known{seed: maphash.MakeSeed()} }

func (k *known) slot(value string) *atomic.Pointer[knownTicket] {
	return &k.slots[maphash.String(k.seed, value)%knownTickets]
}

// ticket returns the ticket that value was found to be.
func (k *known) ticket(value string) (session.Ticket, bool) {
	if e := k.slot(value).Load(); e != nil && e.value == value {
		return e.ticket, true
	}
	return session.Ticket{}, false
}

// remember remembers it in the place of another. The value is copied: it is a part
// of the request's header.
func (k *known) remember(value string, t session.Ticket) {
	k.slot(value).Store(&knownTicket{strings.Clone(value), t})
}
