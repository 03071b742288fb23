// Package proof discloses one member of a bundle and proves that the bundle
// holds it, without the rest: a file of canonical JSON (RFC 8785) with the
// member's line, its audit path to the Merkle root (RFC 6962, section 2.1.1),
// and the signed statements that name this root. Of other members it tells how
// many there are; their leaves are hashed with nonces that are not in it.
package proof

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"amber/evidence"
	"amber/evidence/canon"
)

// Format is what a proof says of itself.
const Format = "amber inclusion proof 1"

// rule is how hashes are made, for a reader who has this file alone.
const rule = "RFC 6962 with SHA-256: a leaf is SHA-256(0x00 || line), a node SHA-256(0x01 || left || right)"

// MaxSize is the most bytes that a proof may have.
const MaxSize = 64 << 20

// Proof is the file.
type Proof struct {
	Format     string      `json:"format"`
	Hash       string      `json:"hash"`
	Evidence   string      `json:"evidence"` // the bundle's id
	Line       string      `json:"line"`     // of the members index, without its newline
	Index      int64       `json:"leaf_index"`
	Size       int64       `json:"tree_size"`
	Path       []string    `json:"audit_path"` // hex, from the leaf up
	Root       string      `json:"root"`       // hex
	Statements []Statement `json:"statements,omitempty"`
	Seal       *Seal       `json:"seal,omitempty"`
}

// Statement is a signed in-toto Statement that names the root: see
// attest.Files.
type Statement struct {
	PAE       string `json:"pae"` // the bytes that are signed
	Signature []byte `json:"signature"`
	PublicKey string `json:"public_key"`
}

// Seal leads to the root where the bundle has no statement: SHA256SUMS, which
// the armored SSHSIGs are over, index.json and the manifest.
type Seal struct {
	Sums       string   `json:"sha256sums"`
	Index      string   `json:"index"`
	Manifest   string   `json:"manifest"`
	Signatures []string `json:"sshsig"`
}

// New proves the member at path. A bundle that nobody signed proves nothing.
func New(b *evidence.Bundle, path string) (*Proof, error) {
	seal, err := b.RootSeal()
	if err != nil {
		return nil, err
	}
	if len(seal.Statements)+len(seal.Signatures) == 0 {
		return nil, errors.New("the bundle is unsigned: nothing vouches for its Merkle root (amber evidence sign)")
	}
	in, err := b.Inclusion(path)
	if err != nil {
		return nil, err
	}
	p := &Proof{Format: Format, Hash: rule, Evidence: b.ID(), Line: in.Line, Index: in.Index, Size: in.Size, Path: []string{}, Root: in.Root}
	for _, h := range in.Path {
		p.Path = append(p.Path, hex.EncodeToString(h))
	}
	for _, f := range seal.Statements {
		p.Statements = append(p.Statements, Statement{string(f.PAE), f.Signature, string(f.PublicKey)})
	}
	if len(p.Statements) == 0 {
		p.Seal = &Seal{Sums: string(seal.Sums), Index: string(seal.Index), Manifest: string(seal.Manifest)}
		for _, s := range seal.Signatures {
			p.Seal.Signatures = append(p.Seal.Signatures, string(s))
		}
	}
	return p, nil
}

// Marshal gives the file's bytes, with a newline at the end.
func (p *Proof) Marshal() ([]byte, error) {
	data, err := canon.Marshal(p)
	return append(data, '\n'), err
}

// Parse reads a file that Marshal has written. It says nothing of whether the
// proof holds; the error is for what is no proof at all.
func Parse(data []byte) (*Proof, error) {
	n := len(data) - 1
	if n < 0 || n >= MaxSize || data[n] != '\n' {
		return nil, errors.New("this is no inclusion proof: not one line of text")
	}
	if err := canon.Check(data[:n]); err != nil {
		return nil, fmt.Errorf("this is no inclusion proof: %w", err)
	}
	var p Proof
	if err := json.Unmarshal(data[:n], &p); err != nil {
		return nil, fmt.Errorf("this is no inclusion proof: %w", err)
	}
	if p.Format != Format {
		return nil, fmt.Errorf("the file says that it is %q; this amber reads %q", p.Format, Format)
	}
	again, err := p.Marshal()
	if err == nil && string(again) != string(data) {
		err = errors.New("this is no inclusion proof: it has fields that none has")
	}
	return &p, err
}
