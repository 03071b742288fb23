package evidence

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"amber/evidence/encrypt"
	"amber/evidence/record"
)

// Writer writes one bundle. Payloads are opened one at a time or several at
// once; each is its caller's. Seal ends it; a writer that is left without
// leaves an incomplete bundle that can still be read.
type Writer struct {
	id   string
	st   store
	comp *compressor

	closer *closer
	lock   *encrypt.Lock // nil where the bundle is not encrypted

	mu      sync.Mutex // of what the payloads share: the index
	members *stream
	tree    *compact.Range
	paths   pathIndex
	names   nameSet
	line    []byte
	nonces  []byte
	streams map[string]*stream
	order   []*stream

	items, misses, plain, stored atomic.Int64
	notes                        atomic.Int64
}

// Stats is how far a writer has come.
type Stats struct {
	Members int64 // objects kept
	Misses  int64
	Noted   int64 // of the members, those with notes
	Plain   int64 // bytes read
	Stored  int64 // bytes written
}

// Create begins a bundle in the directory dir, which must not exist. reserve is
// the space in bytes that is taken beforehand, so that a full disk can still
// be sealed; DefaultReserve serves.
func Create(dir, id string, reserve int64) (*Writer, error) {
	st, err := newDirStore(dir, reserve)
	if err != nil {
		return nil, err
	}
	return newWriter(id, st)
}

// DefaultReserve is the space in bytes reserved for sealing.
const DefaultReserve = 48 << 20

// Stream begins a bundle that goes to w as a tar, and nowhere else.
func Stream(w io.Writer, id string) (*Writer, error) {
	return newWriter(id, &tarStore{w: w})
}

func newWriter(id string, st store) (*Writer, error) {
	comp, err := newCompressor()
	if err != nil {
		return nil, err
	}
	w := &Writer{
		id: id, st: st, comp: comp, closer: newCloser(st.spools()), streams: map[string]*stream{},
		tree: (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0),
	}
	w.members = newStream(w, TypeMembers, "", membersFrame)
	return w, nil
}

// EncryptTo keeps what is written from here on for custodians alone. It is for
// before the first payload: their keys are on the disk, or on their way, when it
// returns, and nothing here can decrypt any more. A bundle is encrypted once.
func (w *Writer) EncryptTo(to []encrypt.Recipient) ([]encrypt.Key, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lock != nil || len(w.order) > 0 {
		return nil, errors.New("the bundle is being written already: it cannot be encrypted now")
	}
	lock, err := encrypt.New(w.id, to)
	if err != nil {
		return nil, err
	}
	for _, k := range lock.Keys {
		if err := errors.Join(w.st.file(k.Name, k.Data), w.st.file(blobDir+"/"+hexSum(k.Data), k.Data)); err != nil {
			return nil, fmt.Errorf("storing %s: %w", k.Name, err)
		}
	}
	w.lock, w.members.lock = lock, lock
	return lock.Keys, nil
}

// ID is the bundle's id.
func (w *Writer) ID() string { return w.id }

// Stats may be called at any time, from any goroutine.
func (w *Writer) Stats() Stats {
	return Stats{w.items.Load(), w.misses.Load(), w.notes.Load(), w.plain.Load(), w.stored.Load()}
}

// Payload opens a payload. Its name is a plain word, used once in a bundle.
func (w *Writer) Payload(name string) (*Payload, error) {
	if name == "" || name == membersName || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, fmt.Errorf("%q is no name for a payload", name)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streams[name] != nil {
		return nil, fmt.Errorf("payload %s is open, or was written already", name)
	}
	if len(w.order) == maxStreams-1 {
		return nil, fmt.Errorf("a bundle has at most %d payloads", maxStreams-1)
	}
	s := newStream(w, TypePayload, name, payloadFrame)
	w.streams[name] = s
	w.order = append(w.order, s)
	return &Payload{w: w, s: s, name: name}, nil
}

// enter writes a member's line into the index and its leaf into the tree.
func (w *Writer) enter(m *record.Member) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.members.failed.Load() {
		return errors.New("the members index cannot be stored")
	}
	w.nonce(&m.Nonce)
	w.line = m.AppendJSON(w.line[:0])
	if len(w.line) > record.MaxLine {
		trim(m)
		w.line = m.AppendJSON(w.line[:0])
	}
	if err := w.tree.Append(rfc6962.DefaultHasher.HashLeaf(w.line), nil); err != nil {
		return err
	}
	if err := w.paths.add(m.Path, w.members.plain); err != nil {
		return err
	}
	w.line = append(w.line, '\n')
	w.members.write(w.line)
	w.count(m)
	return nil
}

func (w *Writer) count(m *record.Member) {
	if m.Type == record.Miss {
		w.misses.Add(1)
		return
	}
	w.items.Add(1)
	if len(m.Notes) > 0 {
		w.notes.Add(1)
	}
}

// nonce gives each line 16 random bytes, so that a leaf tells nothing of a
// line that is not disclosed.
func (w *Writer) nonce(to *[16]byte) {
	if len(w.nonces) == 0 {
		w.nonces = make([]byte, 256*16)
		_, _ = rand.Read(w.nonces) // never fails: crypto/rand
	}
	w.nonces = w.nonces[copy(to[:], w.nonces):]
}

// trim shortens a line that hostile names or attributes made too long. The tar
// header has them whole.
func trim(m *record.Member) {
	if n := len(m.Xattrs); n > 8 {
		m.Xattrs, m.XattrsCut = m.Xattrs[:8], true
		m.Notes = append(m.Notes, fmt.Sprintf("%d extended attributes are in the tar header alone", n-8))
	}
	const most = 16
	if n := len(m.Notes); n > most {
		m.Notes = append(m.Notes[:most:most], fmt.Sprintf("%d further notes", n-most))
	}
	for i, n := range m.Notes {
		m.Notes[i] = n[:min(len(n), 512)]
	}
	m.Reason = m.Reason[:min(len(m.Reason), 4096)]
}
