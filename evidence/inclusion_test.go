package evidence

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"

	"amber/evidence/record"
)

// The root and the audit paths against the RFC 6962 vectors of
// transparency-dev/merkle: its eight leaves, the roots of their nine trees, and
// the proofs that its reference tree gives.
func TestVectors(t *testing.T) {
	leaves, roots := testonly.LeafInputs(), testonly.RootHashes()
	reference := testonly.New(rfc6962.DefaultHasher)
	for size := 0; size <= len(leaves); size++ {
		tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
		for _, l := range leaves[:size] {
			if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(l), nil); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := rootOf(tree); err != nil || got != hex.EncodeToString(roots[size]) {
			t.Errorf("%d leaves: root %s, want %x (%v)", size, got, roots[size], err)
		}
		if size > 0 {
			reference.AppendData(leaves[size-1])
		}
		for i := range size {
			want, err := reference.InclusionProof(uint64(i), uint64(size))
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(size), reference.LeafHash(uint64(i)), want, roots[size]); err != nil {
				t.Error(err)
			}
		}
	}
}

// Each member of a bundle of every kind has the audit path that the reference
// tree gives over the same lines.
func TestInclusion(t *testing.T) {
	sign, _ := stating(t)
	dir, _ := write(t, 37, sign)
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	reference := testonly.New(rfc6962.DefaultHasher)
	var all []*record.Member
	for line, err := range b.lines(0) {
		if err != nil {
			t.Fatal(err)
		}
		reference.AppendData(bytes.Clone(line))
		m, err := record.ParseMember(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	for i, m := range all {
		in, err := b.Inclusion(m.Path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := reference.InclusionProof(uint64(i), uint64(len(all)))
		if err != nil || in.Index != int64(i) || in.Size != int64(len(all)) || len(in.Path) != len(want) {
			t.Fatalf("%q: %+v, want %x (%v)", m.Path, in, want, err)
		}
		for k := range want {
			if !bytes.Equal(in.Path[k], want[k]) {
				t.Errorf("%q: hash %d is %x, want %x", m.Path, k, in.Path[k], want[k])
			}
		}
	}
}

func TestCheckContent(t *testing.T) {
	dir, objects := write(t, 1, nil)
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, o := range objects {
		m, err := b.Lookup(o.m.Path)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckContent(m, bytes.NewReader(o.content))
		if (err == nil) != (m.Type == record.File) {
			t.Errorf("%q: %v", m.Path, err)
		}
		if m.Type != record.File {
			continue
		}
		if err := CheckContent(m, bytes.NewReader(append(bytes.Clone(o.content), 0))); err == nil || !strings.Contains(err.Error(), "bytes, the line says") {
			t.Errorf("%q, longer: %v", m.Path, err)
		}
		if len(o.content) > 0 {
			changed := bytes.Clone(o.content)
			changed[len(changed)/2] ^= 1
			if err := CheckContent(m, bytes.NewReader(changed)); err == nil || !strings.Contains(err.Error(), "the line says") {
				t.Errorf("%q, changed: %v", m.Path, err)
			}
		}
	}
}

// The digest of a file of more than 1 GiB of holes covers its data alone: what
// else is given must be zeros.
func TestCheckContentOfHoles(t *testing.T) {
	m := &record.Member{Path: "filesystem/x", Type: record.File, Size: hashHoles + 3*512, Extents: []record.Extent{{Offset: 512, Length: 512}}}
	data := bytes.Repeat([]byte("x"), 512)
	s := newSum(m)
	s.seek(512)
	s.write(data)
	m.SHA256 = s.finish(m.Size)
	for hole, ok := range map[byte]bool{0: true, 1: false} {
		first := make([]byte, 512)
		first[511] = hole
		rest := io.LimitReader(zeroReader{}, m.Size-1024)
		err := CheckContent(m, io.MultiReader(bytes.NewReader(first), bytes.NewReader(data), rest))
		if (err == nil) != ok {
			t.Errorf("a hole that ends in %d: %v", hole, err)
		}
	}
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
