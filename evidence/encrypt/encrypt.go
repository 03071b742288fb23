// Package encrypt keeps what a bundle holds for its custodians alone, in the age
// format (age-encryption.org/v1). Blobs are encrypted to a key of the bundle's
// own. Its secret half is written once for each custodian, as key-N.age, and
// then dropped: the node keeps nothing that decrypts, and a custodian's hardware
// token is asked once a bundle. See docs/encryption.md.
package encrypt

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"filippo.io/age"
)

// Scheme is what a manifest says that its blobs are encrypted by.
const Scheme = "age-encryption.org/v1"

var (
	// ErrLocked says that what is encrypted was asked for, and no identity was
	// given.
	ErrLocked = errors.New("the bundle is encrypted")
	// ErrNobody says that none of the identities is a custodian's.
	ErrNobody = errors.New("none of the identities given is one of its custodians")
	// ErrDamaged is what an encrypted file that was changed, cut, or exchanged
	// gives.
	ErrDamaged = errors.New("it was changed, or is not of this bundle")
)

// damaged says what an error means that came of a file's content, and leaves
// alone one that came of reading it.
func damaged(what string, err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return err
	}
	return fmt.Errorf("%s: %w: %w", what, err, ErrDamaged)
}

// Key is one key-N.age: the bundle's secret key, encrypted to one custodian.
type Key struct {
	Name        string // "key-1.age"
	Data        []byte // an age file; empty where only the rest is known
	Recipient   string // the custodian, as Recipient.Name has it
	PostQuantum bool   // it keeps its secret from a quantum computer
}

// Lock encrypts what a bundle holds. It has the public half of the bundle's key
// and no other.
type Lock struct {
	Keys []Key
	to   age.Recipient
}

// identity is a key pair of age's, of either kind.
type identity interface {
	age.Identity
	fmt.Stringer
}

// New makes the key of the bundle id, and writes its secret half for each
// custodian. It is post-quantum where all of these are: one classic custodian
// forfeits that for the whole bundle, so then the key is one that every age can
// read.
func New(id string, to []Recipient) (*Lock, error) {
	if len(to) == 0 || len(to) > MaxCustodians {
		return nil, fmt.Errorf("a bundle is encrypted to 1 to %d custodians, not to %d", MaxCustodians, len(to))
	}
	l := &Lock{}
	all := true
	for i, r := range to {
		pq, err := r.postQuantum()
		if err != nil {
			return nil, fmt.Errorf("encrypting to %s: %w", r.Name(), err)
		}
		all = all && pq
		l.Keys = append(l.Keys, Key{Name: KeyName(i + 1), Recipient: r.Name(), PostQuantum: pq})
	}
	secret, err := l.generate(all)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%s%s\n%s%s\n%s\n", commentID, id, commentPublic, l.Recipient(), secret)
	for i, r := range to {
		if l.Keys[i].Data, err = sealed([]byte(text), r.age); err != nil {
			return nil, fmt.Errorf("encrypting the bundle's key to %s: %w", r.Name(), err)
		}
	}
	return l, nil
}

// What stands before the secret key in key-N.age; age takes it for comments.
const (
	commentID     = "# amber evidence "
	commentPublic = "# public key: "
)

func (l *Lock) generate(postQuantum bool) (identity, error) {
	if postQuantum {
		k, err := age.GenerateHybridIdentity()
		if err == nil {
			l.to = k.Recipient()
		}
		return k, err
	}
	k, err := age.GenerateX25519Identity()
	if err == nil {
		l.to = k.Recipient()
	}
	return k, err
}

// Recipient is the public half of the bundle's key: "age1…", "age1pq1…".
func (l *Lock) Recipient() string { return fmt.Sprint(l.to) }

// Writer encrypts to w, which gets whole chunks of 64 KiB as they are full, and
// the last one when the writer is closed.
func (l *Lock) Writer(w io.Writer) (io.WriteCloser, error) {
	return age.Encrypt(w, l.to)
}

// Seal encrypts data.
func (l *Lock) Seal(data []byte) ([]byte, error) { return sealed(data, l.to) }

func sealed(data []byte, to age.Recipient) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Sizes of the age format, in bytes.
const (
	chunkSize = 64 << 10
	overhead  = 16      // of a chunk
	maxHeader = 4 << 10 // of a blob's, its nonce included; the larger one takes 1.7 KiB
)

// Size is the most that n bytes take once they are encrypted.
func Size(n int64) int64 { return n + (n/chunkSize+1)*overhead + maxHeader }

// MaxCustodians bounds the keys of a bundle.
const MaxCustodians = 99

// KeyName is the name of the n-th custodian's key, from 1.
func KeyName(n int) string { return fmt.Sprintf("key-%d.age", n) }

// PostQuantum tells in words whether a bundle with these keys keeps its secret
// from a quantum computer.
func PostQuantum(keys []Key) (ok bool, words string) {
	var classic []string
	for _, k := range keys {
		if !k.PostQuantum {
			classic = append(classic, k.Name+" ("+k.Recipient+")")
		}
	}
	if len(classic) == 0 {
		return true, "yes"
	}
	return false, "no: forfeited by " + strings.Join(classic, ", ") + ", a classic key"
}
