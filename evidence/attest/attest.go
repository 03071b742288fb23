// Package attest makes and checks the statement that a bundle's seal carries
// beside the SSH signature: an in-toto Statement (v1) in a DSSE envelope
// (v1.0), signed with ECDSA on P-256 over SHA-256, as a sigstore bundle (v0.3)
// with its key named and not certified. Beside it lie the bytes that were
// signed, the raw signature and the public key, so that openssl alone checks
// them:
//
//	openssl dgst -sha256 -verify 002-dsse.pub.pem -signature 002-dsse.sig 002-dsse.pae
package attest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"

	"amber/evidence/canon"
)

// PayloadType is what the envelope says of its payload.
const PayloadType = "application/vnd.in-toto+json"

const (
	statementType = "https://in-toto.io/Statement/v1"
	bundleType    = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

// ErrSignature is what every failure of Verify wraps.
var ErrSignature = errors.New("bad signature")

// Subject is one thing that a Statement is about. Digest maps the name of an
// algorithm to a digest in hex.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Statement is an in-toto Statement in the one spelling that is checked:
// canonical JSON (RFC 8785).
func Statement(subjects []Subject, predicateType string, predicate map[string]string) ([]byte, error) {
	return canon.Marshal(struct {
		Type          string            `json:"_type"`
		Subject       []Subject         `json:"subject"`
		PredicateType string            `json:"predicateType"`
		Predicate     map[string]string `json:"predicate"`
	}{statementType, subjects, predicateType, predicate})
}

// Files are an attestation as it is written.
type Files struct {
	Bundle    []byte // the sigstore bundle, canonical JSON
	PAE       []byte // the bytes that were signed: DSSE's pre-authentication encoding
	Signature []byte // ASN.1 DER of r and s, s in the lower half
	PublicKey []byte // PEM, SubjectPublicKeyInfo
}

// PAE is DSSE's pre-authentication encoding of a payload.
func PAE(payloadType string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
}

// Sign signs a statement. The signer's public key must be ECDSA on P-256.
func Sign(signer crypto.Signer, statement []byte) (Files, error) {
	pub, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return Files{}, errors.New("signing a statement: the key is not of ECDSA P-256")
	}
	f := Files{PAE: PAE(PayloadType, statement)}
	sig, err := crypto.SignMessage(signer, rand.Reader, f.PAE, crypto.SHA256)
	if err == nil {
		f.Signature, err = lower(sig)
	}
	if err != nil {
		return Files{}, fmt.Errorf("signing a statement: %w", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return Files{}, fmt.Errorf("signing a statement: %w", err)
	}
	f.PublicKey = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	f.Bundle, err = canon.Marshal(newBundle(statement, f.Signature, spki))
	return f, err
}

// numbers is an ECDSA signature.
type numbers struct{ R, S *big.Int }

// lower gives the signature with s in the lower half of its range, of the two
// that hold for the same bytes.
func lower(der []byte) ([]byte, error) {
	var n numbers
	if rest, err := asn1.Unmarshal(der, &n); err != nil || len(rest) > 0 {
		return nil, errors.New("the signature is not DER")
	}
	order := elliptic.P256().Params().N
	if n.S.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		n.S.Sub(order, n.S)
	}
	return asn1.Marshal(n)
}

// The parts of a sigstore bundle that are used here.
type (
	bundle struct {
		MediaType string   `json:"mediaType"`
		Material  material `json:"verificationMaterial"`
		Envelope  envelope `json:"dsseEnvelope"`
	}
	material struct {
		PublicKey struct {
			Hint string `json:"hint"`
		} `json:"publicKey"`
	}
	envelope struct {
		Payload     []byte     `json:"payload"`
		PayloadType string     `json:"payloadType"`
		Signatures  []envelSig `json:"signatures"`
	}
	envelSig struct {
		Sig   []byte `json:"sig"`
		KeyID string `json:"keyid"`
	}
)

func newBundle(payload, sig, spki []byte) bundle {
	sum := sha256.Sum256(spki)
	id := base64.StdEncoding.EncodeToString(sum[:])
	b := bundle{MediaType: bundleType, Envelope: envelope{Payload: payload, PayloadType: PayloadType, Signatures: []envelSig{{sig, id}}}}
	b.Material.PublicKey.Hint = id
	return b
}

// Verify checks that the files are one attestation of a statement, in their one
// spelling, and gives the key that signed it. Whose key that is it does not say.
func Verify(f Files, statement []byte) (*ecdsa.PublicKey, error) {
	if !bytes.Equal(f.PAE, PAE(PayloadType, statement)) {
		return nil, fmt.Errorf("%w: the signed bytes are not what is true of this bundle", ErrSignature)
	}
	pub, spki, err := verifyRaw(f)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	want, err := canon.Marshal(newBundle(statement, f.Signature, spki))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(want, f.Bundle) {
		return nil, fmt.Errorf("%w: the envelope does not hold what lies beside it", ErrSignature)
	}
	return pub, nil
}

// verifyRaw checks the signature over the bytes that were signed.
func verifyRaw(f Files) (*ecdsa.PublicKey, []byte, error) {
	pub, spki, err := publicKey(f.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	if again, err := lower(f.Signature); err != nil || !bytes.Equal(again, f.Signature) {
		return nil, nil, errors.New("not the one encoding of the signature's numbers")
	}
	sum := sha256.Sum256(f.PAE)
	if !ecdsa.VerifyASN1(pub, sum[:], f.Signature) {
		return nil, nil, errors.New("it is not of these bytes and this key")
	}
	return pub, spki, nil
}

// publicKey reads a PEM that is written in the one way that Sign has.
func publicKey(text []byte) (*ecdsa.PublicKey, []byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(rest) > 0 || !bytes.Equal(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: block.Bytes}), text) {
		return nil, nil, errors.New("the public key is not one PEM block")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	pub, ok := key.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, nil, errors.New("the public key is not of ECDSA P-256")
	}
	again, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil || !bytes.Equal(again, block.Bytes) {
		return nil, nil, errors.New("not the one encoding of the public key")
	}
	return pub, again, nil
}
