package encrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
)

// Box opens what a bundle's Lock has encrypted.
type Box struct {
	id age.Identity
	to string // its public half
}

// Recipient is the public half of the bundle's key.
func (b *Box) Recipient() string { return b.to }

// maxKey bounds a key-N.age and what is in it.
const maxKey = 64 << 10

// Unlock opens the first of a bundle's keys that is one of the identities'. The
// key must be that of recipient, unless this is empty: then it is taken as it is.
// The error wraps ErrLocked, ErrNobody or ErrDamaged.
func (k *Keyring) Unlock(keys []Key, recipient string) (*Box, error) {
	if k == nil {
		return nil, fmt.Errorf("%w: --identity FILE (or AMBER_IDENTITY) opens it; it is for %s", ErrLocked, names(keys))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if b := k.opened[recipient]; b != nil && recipient != "" {
		return b, nil
	}
	var damaged error
	for _, key := range keys {
		b, err := k.open(key)
		var nobody *age.NoIdentityMatchError
		switch {
		case errors.As(err, &nobody):
			continue
		case errors.Is(err, ErrDamaged):
			damaged = errors.Join(damaged, err)
			continue
		case err != nil:
			return nil, fmt.Errorf("opening %s: %w", key.Name, err)
		case recipient != "" && b.to != recipient:
			return nil, fmt.Errorf("%s is the key of another bundle: it opens what is encrypted to %s, and this bundle is to %s: %w", key.Name, short(b.to), short(recipient), ErrDamaged)
		}
		k.opened[b.to] = b
		return b, nil
	}
	if damaged != nil {
		return nil, damaged
	}
	return nil, fmt.Errorf("%w: it is for %s", ErrNobody, names(keys))
}

func names(keys []Key) string {
	var all []string
	for _, k := range keys {
		text := k.Name
		if k.Recipient != "" {
			text += " (" + k.Recipient + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// open decrypts one key, with one question to a token at most.
func (k *Keyring) open(key Key) (*Box, error) {
	header, err := age.ExtractHeader(bytes.NewReader(key.Data))
	if err != nil {
		return nil, damaged(key.Name+" cannot be read as an age file", err)
	}
	fileKey, err := age.DecryptHeader(header, k.ids...)
	if err != nil {
		return nil, headerError(key.Name, err)
	}
	r, err := age.Decrypt(bytes.NewReader(key.Data), age.NewInjectedFileKeyIdentity(fileKey))
	if err != nil {
		return nil, damaged(key.Name, err)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxKey))
	if err != nil {
		return nil, damaged(key.Name+" is cut off, or its content was changed", err)
	}
	b, err := parseKey(text)
	if err != nil {
		return nil, damaged(key.Name, err)
	}
	return b, nil
}

// headerError tells what is wrong with a header from who could not read it.
func headerError(name string, err error) error {
	var nobody *age.NoIdentityMatchError
	if errors.As(err, &nobody) {
		return err
	}
	if strings.Contains(err.Error(), "MAC") { // age has no value for it
		return damaged(name+": the stanzas of its header were changed or exchanged", err)
	}
	return err
}

// parseKey reads the content of a key-N.age.
func parseKey(text []byte) (*Box, error) {
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil || len(ids) != 1 {
		return nil, errors.New("it does not hold the key of a bundle")
	}
	switch id := ids[0].(type) {
	case *age.X25519Identity:
		return &Box{id, id.Recipient().String()}, nil
	case *age.HybridIdentity:
		return &Box{id, id.Recipient().String()}, nil
	}
	return nil, errors.New("it holds a key of a kind that no bundle has")
}

// ReaderAt decrypts a blob of size bytes at any place, chunk by chunk, and gives
// the size of what is in it. Its last chunk is read at once, so that a blob that
// was cut is known. Errors wrap ErrDamaged, those of reading it included.
func (b *Box) ReaderAt(src io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	fileKey, err := b.header(src, size)
	if err != nil {
		return nil, 0, err
	}
	r, n, err := age.DecryptReaderAt(src, size, age.NewInjectedFileKeyIdentity(fileKey))
	if err != nil {
		return nil, 0, damaged("its end is not what was encrypted, so it was cut off or changed", err)
	}
	return chunks{r}, n, nil
}

// header gives the file key of a blob.
func (b *Box) header(src io.ReaderAt, size int64) ([]byte, error) {
	header, err := age.ExtractHeader(io.NewSectionReader(src, 0, min(size, maxKey)))
	if err != nil {
		return nil, damaged("it has no header of an age file", err)
	}
	fileKey, err := age.DecryptHeader(header, b.id)
	var other *age.NoIdentityMatchError
	if errors.As(err, &other) {
		return nil, fmt.Errorf("it is encrypted to another key than the bundle's: %w", ErrDamaged)
	}
	if err != nil {
		return nil, damaged("the stanzas of its header were changed or exchanged", err)
	}
	return fileKey, nil
}

// chunks says of a chunk that does not decrypt what that means.
type chunks struct{ io.ReaderAt }

func (c chunks) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	if n == len(p) && errors.Is(err, io.EOF) {
		return n, nil
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged("a chunk of it does not decrypt, so it was changed", err)
	}
	return n, err
}

// Open decrypts a small file whole.
func (b *Box) Open(data []byte) ([]byte, error) {
	r, n, err := b.ReaderAt(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(r, 0, n))
}
