// Package bolt keeps sessions in one bbolt file: the store for one process
// that needs no other service.
//
// # What is in the file
//
// Six buckets:
//
//	meta      format version, a random store id, and what Ping writes
//	sessions  session key → filing (80 bytes) and the sealed head
//	tokens    session key → version (8 bytes) and the sealed tokens
//	index     index key, session key → nothing
//	expiry    second, kind, session key or mark → nothing
//	marks     used mark → the second at which it may be forgotten
//
// In the clear are only keys, index keys, times and versions. Keys are derived
// from tickets and do not lead back to them; index keys are keyed digests.
// Times and versions must be legible to sweep and to compare. Everything else
// comes sealed, and this package has no key: it must hold ciphertext only,
// because bbolt never clears a freed page. The file never shrinks either; what
// is freed is used again.
//
// # Durability
//
// A change returns after fdatasync. The changes that wait while a commit is
// under way go into the next one together: one transaction, one wait for the
// disk. Each of them is answered by itself; one that is refused neither fails
// nor delays the others.
//
// When a commit fails (the disk is full, the file system went read-only),
// every change of that commit fails and none has happened, unless the error is
// [ErrUnknown]. The store goes on and works again as soon as there is space.
//
// # Damage
//
// bbolt checks little and trusts what it reads: it panics, or faults, or
// recurses until the stack runs out. So Open first walks the page tree, which
// reads every page in use once, and refuses a file that is not sound with
// [ErrDamaged]. What breaks later, under a running process, is caught where it
// is met: the call gets ErrDamaged, calls that touch other pages go on. If the
// damage leaves bbolt's locks behind locked (a file that is overwritten or cut
// short under a running process), all calls fail from then on, but none hangs;
// restart the process then. Nothing is ever repaired or deleted: restore a
// backup, or move the file aside, and users sign in again.
//
// Three things are beyond this. A file whose newer meta page is damaged is, as
// after a crash, at the commit before. A page that holds what it held earlier
// looks sound. And a page that turns, while the process runs, into one that
// refers to itself can end the process.
//
// # Caveats
//
// One process at a time: the file is locked, and a second Open says so
// ([ErrLocked]). A network file system keeps neither that lock nor the order of
// writes; use a local disk. The file is created with mode 0600 in a directory
// with mode 0700; the modes of what exists already are left alone. Opening
// reads the whole tree, so count on a second or so per gigabyte on a fast disk.
package bolt
