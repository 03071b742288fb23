package encrypt

import (
	"bytes"
	"io"
	"sync"

	"filippo.io/age"
)

// Tail decrypts what is whole of a blob whose writing was cut off: the chunks
// before the last, of which nothing says that it is the last. Reading backwards
// begins anew, for there is no end to check a chunk's place against.
func (b *Box) Tail(src io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	fileKey, err := b.header(src, size)
	if err != nil {
		return nil, 0, err
	}
	t := &tail{src: src, size: size, id: age.NewInjectedFileKeyIdentity(fileKey)}
	if err := t.begin(); err != nil {
		return bytes.NewReader(nil), 0, nil // not even the nonce is there
	}
	n, _ := io.Copy(io.Discard, t.r) // it ends in an error: that is what makes it a tail
	return t, n, t.begin()
}

type tail struct {
	src  io.ReaderAt
	size int64
	id   age.Identity

	mu sync.Mutex
	r  io.Reader
	at int64
}

func (t *tail) begin() (err error) {
	t.at = 0
	t.r, err = age.Decrypt(io.NewSectionReader(t.src, 0, t.size), t.id)
	return err
}

func (t *tail) ReadAt(p []byte, off int64) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if off < t.at {
		if err := t.begin(); err != nil {
			return 0, err
		}
	}
	n, err := io.CopyN(io.Discard, t.r, off-t.at)
	if t.at += n; err != nil {
		return 0, io.EOF
	}
	got, err := io.ReadFull(t.r, p)
	if t.at += int64(got); err != nil {
		return got, io.EOF
	}
	return got, nil
}
