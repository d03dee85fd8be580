package bolt

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
)

// noteTag begins what stands in the place of a store's id in a note.
const noteTag = "\x00whole\x00\x00"

// note returns what a mark says beside p when the process has stopped in peace:
// that the file is whole at p, and looks like info. It has the form of a point, but
// no file is ever there. So earlier versions of the program, too, can read the
// mark: they take the note for the other file of a replacement, and drop it.
func (p point) note(info fs.FileInfo) point {
	sum := sha256.Sum256(fmt.Appendf(nil, "%x:%d %d %d", p.id, p.txid, info.Size(), info.ModTime().UnixNano()))
	return point{storeID(append([]byte(noteTag), sum[:8]...)), p.txid}
}

func (p point) isNote() bool { return bytes.HasPrefix(p.id[:], []byte(noteTag)) }

// readNoted returns the mark of the store at path as [readMark] does, and what
// notes there are in it.
func readNoted(path string) (m, notes mark, err error) {
	all, err := readPoints(path)
	for _, p := range all {
		if p.isNote() {
			notes = append(notes, p)
		} else {
			m = append(m, p)
		}
	}
	return m, notes, err
}

// isWhole reports whether the mark of the file at path, which is at txid and looks
// like info, says that it is whole. A write since then shows in one of the three.
func isWhole(path string, txid uint64, info fs.FileInfo) bool {
	m, notes, _ := readNoted(path)
	return slices.ContainsFunc(m, func(p point) bool {
		return p.txid == txid && slices.Contains(notes, p.note(info))
	})
}
