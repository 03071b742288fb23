package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"syscall"

	"amber/evidence/encrypt"
)

// openSegment is a blob that is being stored: frames, each with a digest of its
// own, which are what is encrypted where the bundle is.
type openSegment struct {
	sink   *sink
	lock   io.WriteCloser // encrypts into sink; nil where the bundle is not encrypted
	size   int64          // bytes before they are encrypted
	start  int64
	frames []frameSize
	hashes []byte
}

func newOpenSegment(st store, p part, lock *encrypt.Lock) (*openSegment, error) {
	g := &openSegment{sink: &sink{st: st, part: p, sum: sha256.New()}}
	if lock == nil {
		return g, nil
	}
	var err error
	g.lock, err = lock.Writer(g.sink)
	return g, err
}

// append stores b, which one digest will cover.
func (g *openSegment) append(b []byte) error {
	var to io.Writer = g.sink
	if g.lock != nil {
		to = g.lock
	}
	if _, err := to.Write(b); err != nil {
		return err
	}
	h := sha256.Sum256(b)
	g.hashes = append(g.hashes, h[:]...)
	g.size += int64(len(b))
	return nil
}

// with is the stored size that n bytes more would make, at most.
func (g *openSegment) with(n int64) int64 {
	if g.lock == nil {
		return g.size + n
	}
	return encrypt.Size(g.size + n)
}

// end stores what encryption has kept back.
func (g *openSegment) end() error {
	if g.lock == nil {
		return nil
	}
	return g.lock.Close()
}

// sink is where the stored bytes of a blob go. On a full disk it takes from the
// reserve.
type sink struct {
	st   store
	part part
	sum  hash.Hash
	size int64
	full bool // it had to
}

func (k *sink) Write(b []byte) (int, error) {
	err := k.part.WriteAt(b, k.size)
	for errors.Is(err, syscall.ENOSPC) && k.st.release() {
		k.full = true
		err = k.part.WriteAt(b, k.size)
	}
	if err != nil {
		return 0, err
	}
	k.sum.Write(b)
	k.size += int64(len(b))
	return len(b), nil
}

func (k *sink) digest() string { return hex.EncodeToString(k.sum.Sum(nil)) }

// mediaType is that of a blob, which says that it is encrypted.
func mediaType(kind string, lock *encrypt.Lock) string {
	if lock == nil {
		return kind
	}
	return kind + Encrypted
}
