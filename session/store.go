package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound means that there is no live session: it never existed, was
	// ended, or ran out of time. Callers cannot tell which, and need not.
	ErrNotFound = errors.New("session: not found")

	// ErrConflict means that another writer changed the tokens first. What the
	// caller holds is stale: read again.
	ErrConflict = errors.New("session: changed by another writer")

	// ErrSignedOut means that the provider signed the user out while the sign-in
	// was under way: there is no session, and there must be none (I8).
	ErrSignedOut = errors.New("session: signed out at the provider meanwhile")

	// ErrMalformed, an ErrNotFound, means that a session is filed, but that nobody can
	// make sense of its record any more: the store is damaged there.
	ErrMalformed = fmt.Errorf("%w: its record is malformed", ErrNotFound)

	// ErrRepeated means that a message which counts once came again: nothing was
	// done this time.
	ErrRepeated = errors.New("session: used before")
)

// Record is one session as a [Store] keeps it. Both values are sealed: a store
// sees neither who nor what.
type Record struct {
	// Head says who and when. A record without one is a tombstone: the session
	// is over, and its tokens wait for the ticket that can open (and so revoke)
	// them.
	Head []byte

	// Tokens is the token set, of the given Version.
	Tokens  []byte
	Version uint64
}

// Live reports whether the record is a session, not a tombstone.
func (r Record) Live() bool { return len(r.Head) > 0 }

// IndexKey finds sessions by something else than their ticket: a keyed digest
// of (issuer, sub) or of (issuer, sid), of no meaning to the store. The zero
// value indexes nothing.
type IndexKey [32]byte

// Filing is what a [Store] must know of a session in the clear to find and
// remove it.
type Filing struct {
	Subject IndexKey // of (issuer, sub)
	SID     IndexKey // of (issuer, sid); zero when the provider gave no sid

	// SubjectSince and SIDSince are when the sign-in began, as far as a Burial
	// under Subject or SID is concerned: one that is not older prevents the
	// session.
	SubjectSince, SIDSince time.Time

	// SubjectOlder and SIDOlder are Subject and SID under older server keys. Nothing
	// is filed under them, but a Burial may have been.
	SubjectOlder, SIDOlder []IndexKey

	// Expires is when Sweep takes the head away; Until is when it takes away
	// whatever is left. Until is never before Expires. Both have whole seconds.
	Expires, Until time.Time
}

// HeadUpdate replaces one session's head, when it runs out, and what it is filed
// under.
type HeadUpdate struct {
	Key            Key
	Head           []byte
	Expires, Until time.Time

	// Subject and SID take the place of those of its Filing; the zero value leaves
	// what is there.
	Subject, SID IndexKey
}

// TokensUpdate replaces one session's tokens.
type TokensUpdate struct {
	From   uint64 // the version that is replaced
	To     uint64 // the version of Tokens; greater than From
	Tokens []byte

	// Patient means that nobody waits for it: the store may keep it back a few dozen
	// milliseconds, to write it together with others.
	Patient bool
}

// Burial ends sessions whose tickets are not at hand.
type Burial struct {
	Keys  []Key      // these sessions,
	Under []IndexKey // and all that are filed under one of these

	// Nothing is filed under one of Under any more if its sign-in began at At or
	// before: until Until, when that is no longer remembered.
	At, Until time.Time

	// Mark, unless it is zero, is what MarkUsed would take: this burial uses it up
	// until MarkUntil.
	Mark      [32]byte
	MarkUntil time.Time
}

// Revocation is a token that the provider has yet to be told to forget. Its
// content is sealed.
type Revocation struct {
	ID     [16]byte // random
	Due    time.Time
	Sealed []byte
}

// Entry is one record as [Store.Scan] finds it.
type Entry struct {
	Key Key
	Record
}

// Store keeps sealed sessions. Implementations are safe for concurrent use.
// Every method that changes something returns only when the change is durable:
// it survives the death of the process and of the machine. A change that
// returns an error has not happened, in whole or in part, unless the error says
// that the outcome is unknown; then the same call again finds out (ErrConflict,
// or success). Sealed values have at most 1 MiB. Byte slices passed in are not kept, and those
// returned belong to the caller.
//
// An error other than the ones named here means that the store itself is in
// trouble (full, read-only, damaged, gone): callers fail closed.
type Store interface {
	// Create files a new session. A key that exists already, even as a
	// tombstone, is ErrConflict; a session that a Burial prevents is ErrSignedOut.
	Create(ctx context.Context, k Key, r Record, f Filing) error

	// Load returns what is filed under k, tombstones included, whether or not
	// its time has passed; ErrNotFound if there is nothing, ErrMalformed if it can't
	// be read.
	Load(ctx context.Context, k Key) (Record, error)

	// UpdateHeads replaces the heads of those sessions that still have one, in
	// one commit, and skips the others silently: nothing brings an ended session
	// back. It never touches tokens. No head is empty.
	UpdateHeads(ctx context.Context, updates []HeadUpdate) error

	// SwapTokens replaces the tokens if the session still has a head
	// (ErrNotFound) and the stored version equals u.From (ErrConflict). It never
	// touches the head.
	SwapTokens(ctx context.Context, k Key, u TokensUpdate) error

	// Delete forgets k: head, tokens and filing. Deleting an unknown key is not
	// an error. If r is not nil it is filed in the same commit, whether or not k
	// was known.
	Delete(ctx context.Context, k Key, r *Revocation) error

	// Bury carries out b in one commit and returns the keys of the sessions that
	// were live until then: each loses its head and its index entries and becomes
	// a tombstone. If b.Mark was used before it is ErrRepeated, and nothing happens.
	Bury(ctx context.Context, b Burial) ([]Key, error)

	// PutRevocation files r, or replaces the one with its ID.
	PutRevocation(ctx context.Context, r Revocation) error

	// Revocations returns those that are due at now, earliest first, at most limit.
	Revocations(ctx context.Context, now time.Time, limit int) ([]Revocation, error)

	// DropRevocation forgets the revocation with that ID. Dropping an unknown one
	// is not an error.
	DropRevocation(ctx context.Context, id [16]byte) error

	// Scan returns records in the order of their keys, tombstones included, from
	// the first key after the given one, at most limit; fewer than limit means that
	// there are no more. A damaged record is left out. It is for inventories, not
	// for requests.
	Scan(ctx context.Context, after Key, limit int) ([]Entry, error)

	// Find returns the keys of the live sessions filed under ix, in no order.
	Find(ctx context.Context, ix IndexKey) ([]Key, error)

	// Sweep removes what has expired at now, oldest first, at most limit
	// entries, and returns how many it handled; fewer than limit means that
	// nothing is left to do. A session past Expires loses its head and its index
	// entries and becomes a tombstone; past Until everything of it is gone. Used
	// marks, and what is remembered of burials, are swept too. Its cost depends on what has expired, not on what is
	// stored.
	Sweep(ctx context.Context, now time.Time, limit int) (int, error)

	// MarkUsed remembers mark until the given time, or until Sweep finds it after
	// that, and reports whether it was new: of any number of callers with one
	// mark, exactly one is told true.
	MarkUsed(ctx context.Context, mark [32]byte, until time.Time) (bool, error)

	// Ping reports whether the store can take a write now. It is cheap enough
	// to be asked every second.
	Ping(ctx context.Context) error

	// Close releases the store. Calls in flight are answered first.
	Close() error
}
