package proof

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"amber/evidence"
	"amber/evidence/attest"
	"amber/evidence/keys"
	"amber/evidence/record"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/crypto/ssh"
)

// ErrInvalid is what every failure of Check wraps.
var ErrInvalid = errors.New("the proof does not hold")

// Signature is one that vouches for the root.
type Signature struct {
	Kind        string `json:"kind"` // evidence.KindDSSE or evidence.KindSSHSIG
	Fingerprint string `json:"fingerprint"`
	Principal   string `json:"principal,omitempty"`
	Known       bool   `json:"known"`
}

// Report is what a proof that holds has proved.
type Report struct {
	Evidence   string         `json:"evidence"`
	Member     *record.Member `json:"-"`
	Index      int64          `json:"leaf_index"`
	Size       int64          `json:"tree_size"`
	Root       string         `json:"root"`
	Signatures []Signature    `json:"signatures"`
}

// KnownSigner reports whether somebody known signed.
func (r *Report) KnownSigner() bool {
	for _, s := range r.Signatures {
		if s.Known {
			return true
		}
	}
	return false
}

// Check checks a proof by itself: the line, the way from it to the root, and
// each signature that vouches for the root. Signers says who is known; nil
// knows nobody.
func (p *Proof) Check(signers *keys.Signers) (*Report, error) {
	r := &Report{Evidence: p.Evidence, Index: p.Index, Size: p.Size, Root: p.Root, Signatures: []Signature{}}
	if p.Hash != rule {
		return nil, fmt.Errorf("%w: it has another rule for its hashes", ErrInvalid)
	}
	m, err := record.ParseMember([]byte(p.Line))
	if err != nil {
		return nil, fmt.Errorf("%w: the line is no member's: %w", ErrInvalid, err)
	}
	if !bytes.Equal(m.AppendJSON(nil), []byte(p.Line)) {
		return nil, fmt.Errorf("%w: the line is not in its canonical form", ErrInvalid)
	}
	if err := p.inclusion(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if r.Member = m; len(p.Statements) == 0 && p.Seal == nil {
		return nil, fmt.Errorf("%w: nothing signed vouches for its root", ErrInvalid)
	}
	for i, s := range p.Statements {
		pub, err := p.statement(s)
		if err != nil {
			return nil, fmt.Errorf("%w: statement %d: %w", ErrInvalid, i+1, err)
		}
		r.signed(evidence.KindDSSE, pub, signers)
	}
	if p.Seal != nil {
		if err := p.seal(r, signers); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	return r, nil
}

func (r *Report) signed(kind string, pub ssh.PublicKey, signers *keys.Signers) {
	s := Signature{Kind: kind, Fingerprint: keys.Fingerprint(pub)}
	s.Principal, s.Known = signers.Lookup(pub, evidence.Namespace, time.Now())
	r.Signatures = append(r.Signatures, s)
}

// inclusion checks the audit path.
func (p *Proof) inclusion() error {
	root, err := digest(p.Root)
	if err != nil {
		return fmt.Errorf("the root: %w", err)
	}
	path := make([][]byte, len(p.Path))
	for i, h := range p.Path {
		if path[i], err = digest(h); err != nil {
			return fmt.Errorf("the audit path, hash %d: %w", i+1, err)
		}
	}
	if p.Index < 0 || p.Size <= p.Index {
		return fmt.Errorf("line %d is not one of %d", p.Index, p.Size)
	}
	got, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, uint64(p.Index), uint64(p.Size), rfc6962.DefaultHasher.HashLeaf([]byte(p.Line)), path)
	if err != nil {
		return fmt.Errorf("the audit path does not fit line %d of %d: %w", p.Index, p.Size, err)
	}
	if !bytes.Equal(got, root) {
		return fmt.Errorf("the line and the audit path lead to the root %x, not to %x", got, root)
	}
	return nil
}

func digest(s string) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != rfc6962.DefaultHasher.Size() || hex.EncodeToString(b) != s {
		return nil, fmt.Errorf("%q is no SHA-256", s)
	}
	return b, nil
}

// statement checks one, and that it is about this bundle and this root.
func (p *Proof) statement(s Statement) (ssh.PublicKey, error) {
	said, pub, err := attest.Read(attest.Files{PAE: []byte(s.PAE), Signature: s.Signature, PublicKey: []byte(s.PublicKey)})
	if err != nil {
		return nil, err
	}
	if said.PredicateType != evidence.PredicateType {
		return nil, fmt.Errorf("it states something else than a seal: %q", said.PredicateType)
	}
	if err := p.rooted(evidence.Rooted{ID: said.Predicate["evidence"], Root: said.Digest("members", "rfc6962-sha256"), Count: said.Predicate["members"]}); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(pub)
}

// rooted compares the proof with what a seal says. The audit path alone does
// not tell the size of the tree: trees of several sizes have paths of one shape.
func (p *Proof) rooted(said evidence.Rooted) error {
	switch {
	case said.ID != p.Evidence:
		return fmt.Errorf("the seal is of the bundle %q, the proof says %q", said.ID, p.Evidence)
	case said.Root != p.Root:
		return fmt.Errorf("the seal has the root %s, the proof %s", said.Root, p.Root)
	case said.Count != strconv.FormatInt(p.Size, 10):
		return fmt.Errorf("the seal is over %s lines, the proof says %d", said.Count, p.Size)
	}
	return nil
}

// seal checks the way from the signatures over SHA256SUMS to the root.
func (p *Proof) seal(r *Report, signers *keys.Signers) error {
	said, err := evidence.RootOf([]byte(p.Seal.Sums), []byte(p.Seal.Index), []byte(p.Seal.Manifest))
	if err == nil {
		err = p.rooted(said)
	}
	if err == nil && len(p.Seal.Signatures) == 0 {
		err = errors.New("nobody signed its SHA256SUMS")
	}
	if err != nil {
		return err
	}
	for i, s := range p.Seal.Signatures {
		pub, err := keys.Verify([]byte(s), bytes.NewReader([]byte(p.Seal.Sums)), evidence.Namespace)
		if err != nil {
			return fmt.Errorf("SSH signature %d: %w", i+1, err)
		}
		r.signed(evidence.KindSSHSIG, pub, signers)
	}
	return nil
}
