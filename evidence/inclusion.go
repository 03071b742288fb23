package evidence

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"amber/evidence/attest"
	"amber/evidence/record"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// Inclusion is what leads from one line of the members index to the Merkle root
// over all of them (RFC 6962, section 2.1.1).
type Inclusion struct {
	Line  string   // as it stands in the index, without its newline
	Index int64    // of the line, from 0
	Size  int64    // lines in all
	Path  [][]byte // the audit path, from the leaf up
	Root  string   // hex
}

// Inclusion proves the member at path, or the miss where there is no member. It
// reads the whole index twice, and keeps what the proof needs: a hash for each
// level of the tree.
func (b *Bundle) Inclusion(path string) (*Inclusion, error) {
	if b.state == Incomplete {
		return nil, errors.New("the bundle is incomplete: it has no Merkle root to prove against")
	}
	in, err := b.locate(path)
	if err != nil {
		return nil, err
	}
	if err := b.auditPath(in); err != nil {
		return nil, fmt.Errorf("proving %q: %w", path, err)
	}
	return in, nil
}

// locate finds the line of a path, and counts all.
func (b *Bundle) locate(path string) (*Inclusion, error) {
	in, found := Inclusion{}, record.Miss
	for line, err := range b.lines(0) {
		if err != nil {
			return nil, err
		}
		m, err := record.ParseMember(line)
		if err != nil {
			return nil, err
		}
		if m.Path == path && (in.Line == "" || found == record.Miss && m.Type != record.Miss) {
			in.Line, in.Index, found = string(line), in.Size, m.Type
		}
		in.Size++
	}
	if in.Line == "" {
		return nil, fmt.Errorf("%q: %w", path, ErrNotFound)
	}
	return &in, nil
}

// auditPath hashes all lines, and keeps the nodes beside the leaf's way up.
func (b *Bundle) auditPath(in *Inclusion) error {
	nodes, err := proof.Inclusion(uint64(in.Index), uint64(in.Size))
	if err != nil {
		return err
	}
	kept := make(map[compact.NodeID][]byte, len(nodes.IDs))
	for _, id := range nodes.IDs {
		kept[id] = nil
	}
	keep := func(id compact.NodeID, hash []byte) {
		if _, ok := kept[id]; ok {
			kept[id] = hash
		}
	}
	tree := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for line, err := range b.lines(0) {
		if err != nil {
			return err
		}
		if err := tree.Append(rfc6962.DefaultHasher.HashLeaf(line), keep); err != nil {
			return err
		}
	}
	if in.Root, err = rootOf(tree); err != nil {
		return err
	}
	if want := b.manifest.Annotations[AnnotationRoot]; in.Root != want {
		return fmt.Errorf("the Merkle root of the members is %s, the manifest says %s: the bundle was changed", in.Root, want)
	}
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		hashes[i] = kept[id]
	}
	in.Path, err = nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren)
	return err
}

// RootSeal is what in a seal leads to the Merkle root. The statements name it.
// Where there is none, SHA256SUMS and the files on the way do, and the armored
// signatures are over that.
type RootSeal struct {
	Statements            []attest.Files
	Sums, Index, Manifest []byte
	Signatures            [][]byte
}

// RootSeal gives the signatures of the bundle that hold, whoever made them. One
// that does not is an error.
func (b *Bundle) RootSeal() (s RootSeal, err error) {
	v := verifier{b: b, r: &Report{}}
	what, err := b.toSign()
	if err != nil {
		return s, err
	}
	for _, name := range b.heads() {
		if _, err := v.signature(name); err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
		if err := s.add(b, name, attest.PAE(attest.PayloadType, what.Statement)); err != nil {
			return s, err
		}
	}
	if len(s.Statements) > 0 {
		s.Signatures = nil
		return s, nil
	}
	s.Sums = b.sums
	if s.Index, err = b.readFile(indexFile, maxSmall); err != nil {
		return s, err
	}
	s.Manifest, err = b.readFile(b.manifestName, maxManifest)
	return s, err
}

// add takes a signature up; a statement only where it says over how many lines
// the root is.
func (s *RootSeal) add(b *Bundle, name string, pae []byte) error {
	switch f, _ := parseSealName(name); f.kind {
	case KindDSSE:
		files, err := b.statementFiles(name)
		if err == nil && bytes.Equal(files.PAE, pae) {
			s.Statements = append(s.Statements, files)
		}
		return err
	case KindSSHSIG:
		armored, err := b.readFile(name, maxSmall)
		s.Signatures = append(s.Signatures, armored)
		return err
	}
	return nil
}

// Rooted is what a seal says of the members.
type Rooted struct {
	ID    string // of the bundle
	Root  string // the members' Merkle root, hex
	Count string // of the members' lines, decimal
}

// RootOf follows the digests of SHA256SUMS, index.json and the manifest to the
// members' root.
func RootOf(sums, index, manifest []byte) (r Rooted, err error) {
	if !strings.Contains("\n"+string(sums), "\n"+hexSum(index)+"  "+indexFile+"\n") {
		return r, errors.New("index.json is not the one that SHA256SUMS lists")
	}
	d, err := parseIndex(index)
	if err != nil {
		return r, err
	}
	if d.Digest.Encoded() != hexSum(manifest) {
		return r, errors.New("the manifest is not the one that index.json names")
	}
	var parsed ocispec.Manifest
	if err := readJSON(manifest, &parsed); err != nil {
		return r, fmt.Errorf("manifest: %w", err)
	}
	a := parsed.Annotations
	return Rooted{a[AnnotationID], a[AnnotationRoot], a[AnnotationCount]}, nil
}

// CheckContent compares a file's logical bytes, holes as zeros, with what its
// line says of them.
func CheckContent(m *record.Member, r io.Reader) error {
	if m.Type != record.File {
		return fmt.Errorf("the member is a %s: it has no content", m.Type)
	}
	sum, size, err := sumOf(m, r)
	switch {
	case err != nil:
		return err
	case size != m.Size:
		return fmt.Errorf("the content has %d bytes, the line says %d", size, m.Size)
	case sum != m.SHA256:
		return fmt.Errorf("the content's SHA-256 is %s, the line says %s", hex.EncodeToString(sum[:]), hex.EncodeToString(m.SHA256[:]))
	}
	return nil
}
