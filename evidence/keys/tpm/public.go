package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
)

// signing reads TPM2B_PUBLIC and gives the key, where it is one that can sign
// any digest with its passphrase alone.
func signing(public []byte) (*ecdsa.PublicKey, error) {
	p, err := publicArea(public)
	if err != nil {
		return nil, err
	}
	a := p.ObjectAttributes
	switch {
	case p.Type != tpm2.TPMAlgECC || p.NameAlg != tpm2.TPMAlgSHA256:
		return nil, errors.New("want a key of ECDSA P-256, named by SHA-256")
	case !a.SignEncrypt:
		return nil, errors.New("the key may not sign")
	case a.Restricted:
		return nil, errors.New("the key is restricted: it signs what the TPM itself says, and nothing else")
	case !a.UserWithAuth:
		return nil, errors.New("the key is opened by a policy, not by a passphrase")
	}
	return point(p)
}

// publicArea reads TPM2B_PUBLIC, in its one encoding.
func publicArea(public []byte) (*tpm2.TPMTPublic, error) {
	b, err := tpm2.Unmarshal[tpm2.TPM2BPublic](public)
	if err != nil {
		return nil, fmt.Errorf("pubkey: %w", err)
	}
	p, err := b.Contents()
	if err != nil {
		return nil, fmt.Errorf("pubkey: %w", err)
	}
	if !bytes.Equal(tpm2.Marshal(tpm2.New2B(*p)), public) {
		return nil, errors.New("pubkey: not the one encoding of it")
	}
	return p, nil
}

func point(p *tpm2.TPMTPublic) (*ecdsa.PublicKey, error) {
	parms, err := p.Parameters.ECCDetail()
	if err != nil {
		return nil, fmt.Errorf("pubkey: %w", err)
	}
	if parms.CurveID != tpm2.TPMECCNistP256 {
		return nil, errors.New("the key is not on the curve P-256")
	}
	if s := parms.Scheme.Scheme; s != tpm2.TPMAlgNull && s != tpm2.TPMAlgECDSA {
		return nil, fmt.Errorf("the key signs by the scheme %#x, not by ECDSA", uint16(s))
	}
	xy, err := p.Unique.ECC()
	if err != nil {
		return nil, fmt.Errorf("pubkey: %w", err)
	}
	return curvePoint(xy.X.Buffer, xy.Y.Buffer)
}

// curvePoint refuses what is not on the curve. A TPM may leave leading zeros out.
func curvePoint(x, y []byte) (*ecdsa.PublicKey, error) {
	const size = 32
	if len(x) > size || len(y) > size {
		return nil, errors.New("pubkey: its point is too long")
	}
	b := make([]byte, 1+2*size)
	b[0] = 4 // uncompressed
	copy(b[1+size-len(x):], x)
	copy(b[1+2*size-len(y):], y)
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), b)
	if err != nil {
		return nil, fmt.Errorf("pubkey: %w", err)
	}
	return pub, nil
}
