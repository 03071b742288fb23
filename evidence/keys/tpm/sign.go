package tpm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"sync"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// signer signs by a key in a TPM. It opens the device for each signature, so
// that it holds nothing that others want in between.
type signer struct {
	key    *Key
	device Device
	auth   []byte

	mu    sync.Mutex
	saved *saved // nil: the key is to be loaded
}

// Open gives the key as it signs: digests of SHA-256, by ECDSA. It signs once to
// see that it can, and so a wrong passphrase is one wrong try and no more. auth
// is not asked of a key without a passphrase. The error is ErrDevice, ErrAuth,
// ErrLockout or ErrForeign, here and of every signature.
func (k *Key) Open(d Device, auth []byte) (crypto.Signer, error) {
	if k.noAuth {
		auth = nil
	} else if len(auth) == 0 {
		return nil, fmt.Errorf("%w is empty", ErrAuth)
	}
	if err := checkAuth(auth); err != nil {
		return nil, err
	}
	s := &signer{key: k, device: d, auth: auth}
	trial := sha256.Sum256([]byte("amber: can this key sign?"))
	if _, err := s.sign(trial[:]); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *signer) Public() crypto.PublicKey { return s.key.ecdsa }

// Sign gives ASN.1 DER of r and s. The TPM has its own source of randomness.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != sha256.Size {
		return nil, errors.New("a TPM's key signs digests of SHA-256, and no others")
	}
	sig, err := s.sign(digest)
	if err != nil {
		return nil, fmt.Errorf("signing by the TPM: %w", err)
	}
	return sig, nil
}

func (s *signer) sign(digest []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sig, err := s.ask(digest)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(s.key.ecdsa, digest, sig) {
		return nil, fmt.Errorf("%w: its signature does not hold", ErrDevice)
	}
	return sig, nil
}

// ask has the TPM sign. It leaves nothing in it.
func (s *signer) ask(digest []byte) (sig []byte, err error) {
	t, err := s.device.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	parent, key, err := s.load(t)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, key.flush(t), parent.flush(t)) }()
	rsp, err := tpm2.Sign{
		KeyHandle:  key.as(session(parent, s.auth)),
		Digest:     tpm2.TPM2BDigest{Buffer: digest},
		InScheme:   tpm2.TPMTSigScheme{Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256})},
		Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck, Hierarchy: tpm2.TPMRHNull},
	}.Execute(t)
	if wrongAuth(err) {
		return nil, fmt.Errorf("%w %s", ErrAuth, triesOf(t).wrong())
	}
	if err != nil {
		return nil, explain(t, "signing", err)
	}
	return encode(rsp.Signature)
}

func encode(sig tpm2.TPMTSignature) ([]byte, error) {
	n, err := sig.Signature.ECDSA()
	if err != nil {
		return nil, fmt.Errorf("reading the TPM's signature: %w", err)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(n.SignatureR.Buffer), new(big.Int).SetBytes(n.SignatureS.Buffer),
	})
}

// load puts the key and its parent into the TPM: as they were saved, which takes
// milliseconds where deriving the parent may take a second; anew at first, and
// where the TPM was reset since.
func (s *signer) load(t transport.TPM) (parent, key *object, err error) {
	if s.saved != nil {
		if parent, key, err = s.saved.restore(t); err == nil {
			return parent, key, nil
		}
		s.saved = nil
	}
	if parent, err = storageKey(t, s.key); err != nil {
		return nil, nil, err
	}
	if key, err = load(t, s.key, parent); err != nil {
		return nil, nil, errors.Join(err, parent.flush(t))
	}
	s.saved = save(t, parent, key)
	return parent, key, nil
}
