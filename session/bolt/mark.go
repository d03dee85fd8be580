package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// markSuffix follows the path of the store in that of its mark.
const markSuffix = ".mark"

// markVersion begins every mark.
const markVersion = "cloakroom-mark v1"

// maxMark bounds what is read of a mark.
const maxMark = 1 << 10

// storeID tells a store from any other, and from its own copies.
type storeID [16]byte

// point is a state of a store: it, and its transaction id then.
type point struct {
	id   storeID
	txid uint64
}

// mark is what is remembered of a store outside of its file: how far it had
// come. While a file is being replaced that is one point for either file.
type mark []point

// errNoMark means that there is no mark that can be understood.
var errNoMark = errors.New("no mark")

// encode returns m as a line of text that a person can read:
//
//	cloakroom-mark v1 <store id>:<transaction> <checksum>
func (m mark) encode() []byte {
	var b bytes.Buffer
	b.WriteString(markVersion)
	for _, p := range m {
		fmt.Fprintf(&b, " %x:%d", p.id, p.txid)
	}
	fmt.Fprintf(&b, " %s\n", markSum(b.String()))
	return b.Bytes()
}

func markSum(line string) string {
	sum := sha256.Sum256([]byte(line))
	return hex.EncodeToString(sum[:8])
}

// decodeMark returns errNoMark if b was not written by encode.
func decodeMark(b []byte) (mark, error) {
	line, ended := strings.CutSuffix(string(b), "\n")
	at := strings.LastIndexByte(line, ' ')
	if !ended || at < 0 || markSum(line[:at]) != line[at+1:] {
		return nil, errNoMark
	}
	points, ok := strings.CutPrefix(line[:at], markVersion+" ")
	if !ok {
		return nil, errNoMark
	}
	var m mark
	for _, field := range strings.Split(points, " ") {
		id, txid, _ := strings.Cut(field, ":")
		raw, err := hex.DecodeString(id)
		if err != nil || len(raw) != len(storeID{}) {
			return nil, errNoMark
		}
		n, err := strconv.ParseUint(txid, 10, 63)
		if err != nil {
			return nil, errNoMark
		}
		m = append(m, point{storeID(raw), n})
	}
	return m, nil
}

// begun returns the points of m after a store's beginning, which has the
// transaction 0.
func (m mark) begun() mark {
	return slices.DeleteFunc(slices.Clone(m), func(p point) bool { return p.txid == 0 })
}

// goneFrom returns Gone if the mark of path, where no store is, tells of one.
func goneFrom(path string) Reason {
	if m, err := readMark(path); err == nil && len(m.begun()) > 0 {
		return Gone
	}
	return ""
}

// judge compares a file that is at p with its mark; without one, m is empty.
func (m mark) judge(p point) (reason Reason, restored bool) {
	reason = OtherStore
	if len(m) == 0 {
		reason = NoMark
	}
	for _, marked := range m {
		switch {
		case marked.id != p.id:
		case marked.txid > p.txid:
			reason = Behind
		default:
			return "", false
		}
	}
	return reason, true
}

// readMark returns the mark of the store at path, without notes; errNoMark if it
// is missing or makes no sense. Any other error says that nobody can tell.
func readMark(path string) (mark, error) {
	m, _, err := readNoted(path)
	return m, err
}

// readPoints returns whatever there is in the mark of the store at path.
func readPoints(path string) (mark, error) {
	f, err := os.Open(path + markSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoMark
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxMark+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(b) > maxMark {
		return nil, errNoMark
	}
	return decodeMark(b)
}

// openFunc is the type of os.OpenFile.
type openFunc func(name string, flag int, perm os.FileMode) (*os.File, error)

// writeMark replaces the mark of the store at path: after a crash there is the
// old one or the new one. It belongs to whom the store belongs to.
func writeMark(path string, m mark, open openFunc) error {
	temporary := path + markSuffix + ".new"
	f, err := open(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	_, err = f.Write(m.encode())
	if err == nil {
		err = keepOwner(f, path)
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(temporary, path+markSuffix)
	}
	if err != nil {
		_ = os.Remove(temporary)
		return fmt.Errorf("mark: %w", err)
	}
	if err := syncDirOf(path); err != nil {
		return fmt.Errorf("mark: %w", err)
	}
	return nil
}
