package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"amber/evidence/record"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
)

// index checks every line of the members index, their Merkle root, and the
// sorted paths. Each member is given on while its line is looked at.
func (v *verifier) index(ctx context.Context, give func(*record.Member)) {
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	var paths pathIndex
	at := int64(0)
	var again []byte
	for line, err := range v.b.lines(0) {
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			v.r.problem("members", "%v", err)
			return
		}
		m, err := record.ParseMember(line)
		if err != nil {
			v.r.problem("members", "line at byte %d: %v", at, err)
			return
		}
		if again = m.AppendJSON(again[:0]); !bytes.Equal(again, line) {
			v.r.problem("members", "line at byte %d (%q) is not in its canonical form", at, m.Path)
		}
		v.count(m)
		if err := errors.Join(tree.Append(rfc6962.DefaultHasher.HashLeaf(line), nil), paths.add(m.Path, at)); err != nil {
			v.r.problem("members", "%v", err)
			return
		}
		at += int64(len(line)) + 1
		give(m)
	}
	v.compareRoot(tree)
	v.comparePaths(&paths)
}

func (v *verifier) count(m *record.Member) {
	if m.Type == record.Miss {
		v.r.Misses++
		return
	}
	v.r.Members++
	if len(m.Notes) > 0 {
		v.r.Noted++
	}
}

func (v *verifier) compareRoot(tree *compact.Range) {
	root, err := rootOf(tree)
	a := v.b.manifest.Annotations
	acq, aerr := v.b.Acquisition()
	if err := errors.Join(err, aerr); err != nil {
		v.r.problem("acquisition", "%v", err)
		return
	}
	v.r.Root = root
	if root != a[AnnotationRoot] || root != acq.MerkleRoot {
		v.r.problem("members", "their Merkle root is %s, the manifest says %s and the acquisition %s", root, a[AnnotationRoot], acq.MerkleRoot)
	}
	if n := fmt.Sprint(v.r.Members + v.r.Misses); n != a[AnnotationCount] {
		v.r.problem("members", "there are %s lines, the manifest says %s", n, a[AnnotationCount])
	}
}

// comparePaths sorts the paths anew and hashes what the blob must be.
func (v *verifier) comparePaths(paths *pathIndex) {
	h := sha256.New()
	var same twice
	err := paths.each(func(e pathEntry) error {
		same.add(e)
		_, err := h.Write(e[:])
		return err
	})
	if err != nil {
		v.r.problem("paths", "%v", err)
		return
	}
	v.twoOfAName(&same)
	got, err := v.b.pathsDigest()
	if err != nil {
		v.r.problem("paths", "%v", err)
		return
	}
	if got != hex.EncodeToString(h.Sum(nil)) {
		v.r.problem("paths", "are not those of the members index")
	}
}

// pathsDigest is that of the paths blob, before it was encrypted; empty where
// there is none.
func (b *Bundle) pathsDigest() (string, error) {
	if b.paths == nil {
		return "", nil
	}
	if _, encrypted := encryptedLayer(*b.paths); !encrypted {
		return b.paths.Digest.Encoded(), nil
	}
	f, err := b.openPaths()
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, io.NewSectionReader(f, 0, f.size))
	return hex.EncodeToString(h.Sum(nil)), err
}
