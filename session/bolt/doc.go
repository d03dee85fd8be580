// Package bolt keeps sessions in one bbolt file: the store for one process
// that needs no other service.
//
// # What is in the file
//
// Nine buckets:
//
//	meta         format version, a random store id, and what Ping writes
//	sessions     session key → filing (80 bytes) and the sealed head
//	tokens       session key → version (8 bytes) and the sealed tokens
//	index        index key, session key → nothing
//	expiry       second, kind, session key, mark or index key → nothing
//	marks        used mark → the second at which it may be forgotten
//	fences       index key → when it was buried, and until when that matters
//	revocations  id → when it is due (8 bytes) and the sealed token
//	queue        millisecond when due, id → nothing
//
// A file of a program that knew the first six only gets the others when it is
// opened, and keeps its sessions.
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
// Changes that nobody waits for are kept a moment for others to go with them
// (Options.Patience): a commit costs more than what is in it.
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
// [ErrDamaged]. After a clean stop the mark says that the file is whole, with its
// transaction, size and time of modification; as long as all of them are the same,
// Open reads the meta pages, the free list and the branches only, a hundredth of the
// file, and a patrol looks at the leaves while the store is used. What that finds
// goes to Options.Damaged, and no later stop says that the file is whole.
//
// What breaks later, under a running process, is caught where it
// is met: the call gets ErrDamaged, calls that touch other pages go on. If the
// damage leaves bbolt's locks behind locked (a file that is overwritten or cut
// short under a running process), all calls fail from then on, but none hangs;
// restart the process then. Nothing is ever repaired or deleted: restore a
// backup, or move the file aside, and users sign in again.
//
// Four things are beyond this. A file whose newer meta page is damaged is at the
// commit before, which the mark shows unless it is some seconds behind. A page
// that holds what it held earlier looks sound. And a page that turns, while the
// process runs, into one that refers to itself can end the process. So can a leaf
// that did so between a clean stop and the patrol, or that claims then to be a
// thousand times as large as it is: bbolt takes minutes to free that, and memory.
//
// # Restored files
//
// The refresh tokens in an old copy have been used since, and a provider that
// sees one again ends every session of that user. So beside the file lies its
// mark, <path>.mark: one line with the store's id and the last transaction that
// it is known to have made durable, written at most every five seconds and at
// Close. A file that is behind its mark, that has another id, or that has no mark
// was put back: Open removes every session before it returns, gives the file a
// new id, so that no further copy of the old one passes for it, and says so
// ([Store.Restored]). A session that was signed out when the copy was made, or
// after, does not come back either: none does. Used marks, fences and revocations
// stay: they keep things from happening twice, and old ones do no harm.
//
// A file that is missing or empty, beside a mark of a store, is told of in the same
// way: a new store is made, and everybody signs in again.
//
// A crash never makes a file look restored: the mark is behind the file or level
// with it, and is written first where a file is new. Moving a store means to stop
// the process and to take the file and its mark together. What cannot be noticed
// is a copy of both, such as a snapshot of the whole disk: delete the mark before
// starting from one. Nor can a copy that is put back within the seconds that the
// mark was behind when the process crashed.
//
// # Looking after the file
//
// [Check], [Compact], the function [Backup] and [Restore] work on a file that
// nobody has open; the method Backup copies a running store. A backup and a
// compacted file are written anew, so that they hold nothing that was removed, and
// get an id of their own. While one file takes the place of another the mark names
// both; Open then settles on the one it finds. Restoring a backup leaves all its
// sessions out, for the reason above.
//
// # Caveats
//
// One process at a time: the file is locked, and a second Open says so
// ([ErrLocked]). A network file system keeps neither that lock nor the order of
// writes; use a local disk. The file is created with mode 0600 in a directory
// with mode 0700; the modes of what exists already are left alone. Opening
// after a crash reads the whole tree, as fast as the disk is.
package bolt
