package evidence

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"amber/evidence/encrypt"
)

// Encryption is what a bundle tells of its encryption to anybody.
type Encryption struct {
	Recipient   string      `json:"recipient,omitempty"`    // the bundle's own public key; empty where it is incomplete and locked
	PostQuantum string      `json:"post_quantum,omitempty"` // "yes", or "no" and whose key forfeits it
	Custodians  []Custodian `json:"custodians"`
	Opened      bool        `json:"opened"`              // an identity was given that is a custodian's
	Unchecked   string      `json:"unchecked,omitempty"` // what could not be looked into, and why
}

// Custodian is somebody who can decrypt.
type Custodian struct {
	Key       string `json:"key"`                 // the file, "key-1.age"
	Recipient string `json:"recipient,omitempty"` // absent where the bundle is incomplete
}

// Encryption is nil for a bundle that is not encrypted.
func (b *Bundle) Encryption() *Encryption {
	if len(b.keys) == 0 && b.locked == nil {
		return nil
	}
	e := &Encryption{
		Recipient: b.manifest.Annotations[AnnotationRecipient], PostQuantum: b.manifest.Annotations[AnnotationPostQuantum],
		Custodians: []Custodian{}, Opened: b.locked == nil,
	}
	if b.box != nil {
		e.Recipient = b.box.Recipient()
	}
	for _, k := range b.keys {
		e.Custodians = append(e.Custodians, Custodian{k.Name, k.Recipient})
	}
	return e
}

// Locked says why what is encrypted cannot be read: nil where it can, or where
// nothing is.
func (b *Bundle) Locked() error { return b.locked }

// unlock opens the bundle's key, or notes why that cannot be.
func (b *Bundle) unlock(recipient string) {
	b.box, b.locked = b.ring.Unlock(b.keys, recipient)
}

// openKeys reads the custodians' keys that a manifest names.
func (b *Bundle) openKeys() error {
	a := b.manifest.Annotations
	scheme, is := a[AnnotationEncryption]
	if !is {
		return nil
	}
	if scheme != encrypt.Scheme || a[AnnotationRecipient] == "" {
		return fmt.Errorf("the manifest says that it is encrypted by %q; this amber knows %s", scheme, encrypt.Scheme)
	}
	for _, d := range b.manifest.Layers {
		if d.MediaType != TypeKey {
			continue
		}
		if err := checkDigest(d); err != nil {
			return err
		}
		k := encrypt.Key{Name: d.Annotations[AnnotationKey], Recipient: d.Annotations[AnnotationRecipient]}
		if want := encrypt.KeyName(len(b.keys) + 1); k.Name != want {
			return fmt.Errorf("the manifest names a key %q where %s comes", k.Name, want)
		}
		// One that was changed is not looked at; it keeps no other custodian out.
		if data, err := b.readBlob(d, maxSmall); err == nil {
			k.Data = data
		}
		b.keys = append(b.keys, k)
	}
	if len(b.keys) == 0 || len(b.keys) > encrypt.MaxCustodians {
		return fmt.Errorf("the manifest names %d keys of custodians", len(b.keys))
	}
	b.unlock(a[AnnotationRecipient])
	return nil
}

// findKeys reads the custodians' keys of an incomplete bundle, where they lie
// beside the blobs.
func (b *Bundle) findKeys() error {
	for n := 1; n <= encrypt.MaxCustodians; n++ {
		data, err := b.readFile(encrypt.KeyName(n), maxSmall)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		b.keys = append(b.keys, encrypt.Key{Name: encrypt.KeyName(n), Data: data})
	}
	if len(b.keys) > 0 {
		b.unlock("")
	}
	return nil
}

// encryptedLayer parts a media type from what says that the blob is encrypted.
func encryptedLayer(d ocispec.Descriptor) (kind string, encrypted bool) {
	return strings.CutSuffix(d.MediaType, Encrypted)
}

// blob is a stored file as it was before it was encrypted, if it is.
type blob struct {
	io.ReaderAt
	file *os.File
	size int64
}

func (f *blob) Close() error { return f.file.Close() }

// openBlob opens a blob that has size stored bytes.
func (b *Bundle) openBlob(name string, size int64, encrypted bool) (*blob, error) {
	return b.opened(name, size, encrypted, (*encrypt.Box).ReaderAt)
}

// openTail opens what was being written when the bundle was cut off.
func (b *Bundle) openTail(name string, size int64) (*blob, error) {
	return b.opened(name, size, len(b.keys) > 0, (*encrypt.Box).Tail)
}

func (b *Bundle) opened(name string, size int64, encrypted bool, decrypt func(*encrypt.Box, io.ReaderAt, int64) (io.ReaderAt, int64, error)) (*blob, error) {
	if encrypted && b.locked != nil {
		return nil, b.locked
	}
	if encrypted && b.box == nil {
		return nil, fmt.Errorf("%s is encrypted, and the manifest does not say that the bundle is", name)
	}
	f, err := b.openFile(name)
	if err != nil {
		return nil, err
	}
	if !encrypted {
		return &blob{f, f, size}, nil
	}
	r, n, err := decrypt(b.box, f, size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return &blob{r, f, n}, nil
}

// decrypted reads a small blob whole, which its digest has vouched for.
func (b *Bundle) decrypted(d ocispec.Descriptor, limit int64) ([]byte, error) {
	data, err := b.readBlob(d, limit)
	if _, encrypted := encryptedLayer(d); err != nil || !encrypted {
		return data, err
	}
	if b.box == nil {
		return nil, b.locked
	}
	if data, err = b.box.Open(data); err != nil {
		return nil, fmt.Errorf("blob %s: %w", d.Digest, err)
	}
	return data, nil
}

// Decrypted is what a stored file holds before it is decompressed: of an age
// file that lies in a bundle, what that encrypts; of any other, stored itself.
func Decrypted(path string, stored *io.SectionReader, ring ...*encrypt.Keyring) (io.Reader, error) {
	head := make([]byte, len(encrypt.Scheme)+1)
	if n, err := stored.ReadAt(head, 0); err != nil && n < len(head) || string(head) != encrypt.Scheme+"\n" {
		return stored, nil
	}
	b, err := Open(filepath.Dir(filepath.Dir(filepath.Dir(path))), ring...)
	if err != nil {
		return stored, nil // an age file that is evidence, or a log, itself
	}
	defer b.Close()
	if b.box == nil {
		return stored, b.locked
	}
	r, n, err := b.box.ReaderAt(stored, stored.Size())
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(r, 0, n), nil
}

// encryption enters what of an encrypted bundle is told, and what was not looked
// into.
func (v *verifier) encryption() {
	e := v.b.Encryption()
	if v.r.Encryption = e; e == nil || v.b.locked == nil {
		return
	}
	if errors.Is(v.b.locked, encrypt.ErrDamaged) {
		v.r.problem("encryption", "%v", v.b.locked)
	}
	e.Unchecked = "the members, their Merkle root, the paths and the acquisition record were not looked into: " + v.b.locked.Error()
}

// keyFiles compares the custodians' keys beside the blobs with those that the
// manifest names.
func (v *verifier) keyFiles() {
	want := map[string]string{}
	for _, d := range v.b.manifest.Layers {
		if d.MediaType == TypeKey {
			want[d.Annotations[AnnotationKey]] = d.Digest.Encoded()
		}
	}
	for n := range len(want) {
		name := encrypt.KeyName(n + 1)
		if want[name] == "" || v.line[name] != want[name] {
			v.r.problem(name, "is not the key that the manifest names")
		}
		delete(want, name)
	}
}
