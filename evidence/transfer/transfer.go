// Package transfer is the paper of a hand-over: an offer that the giver signs
// and an acknowledgement that the receiver signs. Each of them holds a receipt
// for the custody log of the one who signed it, so whoever keeps the other's
// paper can tell later that the log was cut or rewritten. See docs/handover.md.
package transfer

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/canon"
	"amber/evidence/custody"
	"amber/evidence/keys"
)

// Kinds of papers. They are part of what is signed: a paper of one kind, or a
// receipt of a custody log, can never stand for one of another.
const (
	kindOffer   = "amber-transfer-offer"
	kindReceipt = "amber-transfer-receipt"
	format      = 1

	// MaxPaper bounds a paper, in bytes.
	MaxPaper = 4 << 20
)

// ErrPaper says that a paper is not one, or was changed.
var ErrPaper = errors.New("the paper of the hand-over is not as it was made")

// Item is a bundle that is handed over.
type Item struct {
	ID     string `json:"id"`
	Digest string `json:"digest"` // of SHA256SUMS, "sha256:…"
}

// Offer is the giver's paper.
type Offer struct {
	Format    int             `json:"format"`
	Kind      string          `json:"kind"`
	Case      string          `json:"case"` // the giver's
	From      string          `json:"from"` // as the giver calls himself
	To        string          `json:"to"`   // as the giver calls the receiver
	Reason    string          `json:"reason"`
	Authority string          `json:"authority"`
	Time      time.Time       `json:"time"`
	Nonce     string          `json:"nonce"`
	Evidence  []Item          `json:"evidence"`
	Receipt   custody.Receipt `json:"receipt"`             // of the giver's log, with the entries of this offer
	Signature string          `json:"signature,omitempty"` // base64 SSHSIG blob over the canonical form without this field, namespace amber-receipt
}

// Acknowledgement is the receiver's paper. It holds the offer whole.
type Acknowledgement struct {
	Format    int             `json:"format"`
	Kind      string          `json:"kind"`
	Offer     Offer           `json:"offer"`
	Case      string          `json:"case"` // the receiver's
	By        string          `json:"by"`   // as the receiver calls himself
	Reason    string          `json:"reason,omitempty"`
	Authority string          `json:"authority,omitempty"`
	Time      time.Time       `json:"time"`
	Receipt   custody.Receipt `json:"receipt"` // of the receiver's log, with the entries of this
	Signature string          `json:"signature,omitempty"`
}

// Seal fills in what every offer has and signs it.
func (o Offer) Seal(signer ssh.Signer) (Offer, error) {
	o.Format, o.Kind, o.Nonce, o.Signature = format, kindOffer, rand.Text(), ""
	o.Time = o.Time.UTC().Truncate(time.Second)
	if err := o.check(); err != nil {
		return o, err
	}
	var err error
	o.Signature, err = sign(o, signer)
	return o, err
}

// Seal fills in what every acknowledgement has and signs it.
func (a Acknowledgement) Seal(signer ssh.Signer) (Acknowledgement, error) {
	a.Format, a.Kind, a.Signature = format, kindReceipt, ""
	a.Time = a.Time.UTC().Truncate(time.Second)
	var err error
	a.Signature, err = sign(a, signer)
	return a, err
}

func (o Offer) check() error {
	switch {
	case len(o.Evidence) == 0:
		return errors.New("nothing is handed over")
	case o.From == "" || o.To == "":
		return errors.New("it does not say who gives to whom")
	case o.Reason == "" || o.Authority == "":
		return errors.New("it gives no reason or no authority")
	case o.Receipt.Case != o.Case || o.Receipt.Sequence < 1:
		return errors.New("its receipt is not of its case's custody log")
	}
	seen := map[string]bool{}
	for _, i := range o.Evidence {
		if raw, err := hex.DecodeString(strings.TrimPrefix(i.Digest, "sha256:")); err != nil || len(raw) != sha256.Size || i.ID == "" || seen[i.ID] {
			return fmt.Errorf("it names %q twice, or without a digest", i.ID)
		}
		seen[i.ID] = true
	}
	return nil
}

func sign(unsigned any, signer ssh.Signer) (string, error) {
	payload, err := canon.Marshal(unsigned)
	if err != nil {
		return "", err
	}
	blob, err := keys.SignBlob(signer, keys.NamespaceReceipt, bytes.NewReader(payload))
	return base64.StdEncoding.EncodeToString(blob), err
}

func signerOf(unsigned any, signature string) (ssh.PublicKey, error) {
	blob, err := base64.StdEncoding.Strict().DecodeString(signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keys.ErrSignature, err)
	}
	payload, err := canon.Marshal(unsigned)
	if err != nil {
		return nil, err
	}
	return keys.VerifyBlob(blob, bytes.NewReader(payload), keys.NamespaceReceipt)
}

// Signer gives the key that signed the offer.
func (o Offer) Signer() (ssh.PublicKey, error) {
	s := o.Signature
	o.Signature = ""
	return signerOf(o, s)
}

// Signer gives the key that signed the acknowledgement.
func (a Acknowledgement) Signer() (ssh.PublicKey, error) {
	s := a.Signature
	a.Signature = ""
	return signerOf(a, s)
}

// Marshal gives a paper as one canonical JSON line.
func Marshal[P Offer | Acknowledgement](p P) ([]byte, error) {
	text, err := canon.Marshal(p)
	return append(text, '\n'), err
}

// Digest names a paper, "sha256:…" of its line without the newline.
func Digest[P Offer | Acknowledgement](p P) (string, error) {
	text, err := canon.Marshal(p)
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), err
}

// ParseOffer reads an offer and checks that its signature, whosever it is, is
// over it.
func ParseOffer(data []byte) (Offer, error) {
	var o Offer
	if err := parse(data, &o, kindOffer, "an offer"); err != nil {
		return o, err
	}
	return o, o.verify()
}

func (o Offer) verify() error {
	if o.Kind != kindOffer || o.Format != format { // of one inside of an acknowledgement
		return fmt.Errorf("%w: it is %q of format %d, not an offer", ErrPaper, o.Kind, o.Format)
	}
	if err := o.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrPaper, err)
	}
	if _, err := o.Signer(); err != nil {
		return fmt.Errorf("%w: the giver's signature: %w", ErrPaper, err)
	}
	return nil
}

// ParseAcknowledgement reads one, with the offer in it.
func ParseAcknowledgement(data []byte) (Acknowledgement, error) {
	var a Acknowledgement
	if err := parse(data, &a, kindReceipt, "an acknowledgement"); err != nil {
		return a, err
	}
	if a.Receipt.Case != a.Case || a.Receipt.Sequence < 1 {
		return a, fmt.Errorf("%w: its receipt is not of its case's custody log", ErrPaper)
	}
	if _, err := a.Signer(); err != nil {
		return a, fmt.Errorf("%w: the receiver's signature: %w", ErrPaper, err)
	}
	return a, a.Offer.verify()
}

// parse reads the one form that a paper of that kind has; a is what it is called.
func parse[P Offer | Acknowledgement](data []byte, p *P, kind, a string) error {
	text := bytes.TrimSuffix(data, []byte("\n"))
	if len(data) > MaxPaper {
		return fmt.Errorf("%w: it has more than %d bytes", ErrPaper, MaxPaper)
	}
	if err := canon.Check(text); err != nil {
		return fmt.Errorf("%w: %w", ErrPaper, err)
	}
	var is struct {
		Format int    `json:"format"`
		Kind   string `json:"kind"`
	}
	if err := json.Unmarshal(text, &is); err == nil && (is.Kind != kind || is.Format != format) {
		return fmt.Errorf("%w: it is %q of format %d, not %s", ErrPaper, is.Kind, is.Format, a)
	}
	if err := json.Unmarshal(text, p); err != nil {
		return fmt.Errorf("%w: %w", ErrPaper, err)
	}
	// encoding/json takes "Kind" for "kind": only what Marshal would write counts.
	if again, err := canon.Marshal(*p); err != nil || !bytes.Equal(again, text) {
		return fmt.Errorf("%w: it is not in its one form", ErrPaper)
	}
	return nil
}

// ReadReceipt reads a receipt for a custody log out of any paper that holds one:
// a plain receipt, an offer (the giver's log), or an acknowledgement (the
// receiver's, or the giver's where that is of another case). caseID is the case
// whose log it is for.
func ReadReceipt(data []byte, caseID string) (custody.Receipt, error) {
	var kind struct {
		Kind string `json:"kind"`
	}
	if len(data) <= MaxPaper {
		_ = json.Unmarshal(data, &kind)
	}
	switch kind.Kind {
	case kindOffer:
		o, err := ParseOffer(data)
		return o.Receipt, err
	case kindReceipt:
		a, err := ParseAcknowledgement(data)
		if a.Case != caseID && a.Offer.Case == caseID {
			return a.Offer.Receipt, err
		}
		return a.Receipt, err
	}
	return custody.ParseReceipt(data)
}
