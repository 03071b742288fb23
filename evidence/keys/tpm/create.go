package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// New makes a key in the TPM, under its owner's storage key, and
// has it sign once. auth is its passphrase, of at most MaxAuth bytes; a TPM
// counts the wrong ones and soon takes none. It is nil for a key that whoever
// may open the device can sign with. The error is ErrDevice, ErrAuth or ErrLockout.
func (d Device) New(auth []byte) (*Key, error) {
	if err := checkAuth(auth); err != nil {
		return nil, err
	}
	k, err := d.create(auth)
	if err != nil {
		return nil, err
	}
	if _, err := k.Open(d, auth); err != nil {
		return nil, fmt.Errorf("trying the new key: %w", err)
	}
	return k, nil
}

func checkAuth(auth []byte) error {
	if len(auth) > MaxAuth {
		return fmt.Errorf("%w has %d bytes: a TPM takes at most %d (it needs no long one, for it counts the wrong ones)", ErrAuth, len(auth), MaxAuth)
	}
	return nil
}

func (d Device) create(auth []byte) (k *Key, err error) {
	t, err := d.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	k = &Key{parent: tpm2.TPMRHOwner, noAuth: len(auth) == 0}
	parent, err := storageKey(t, k)
	if errors.Is(err, errOwner) {
		k.parent = provisioned
		if parent, err = storageKey(t, k); err != nil {
			err = errOwner
		}
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, parent.flush(t)) }()
	return k, k.create(t, parent, auth)
}

func (k *Key) create(t transport.TPM, parent *object, auth []byte) error {
	rsp, err := tpm2.Create{
		ParentHandle: parent.as(session(parent, nil)),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: auth},
		}},
		InPublic: tpm2.New2B(template(k.noAuth)),
	}.Execute(t)
	if err != nil {
		return explain(t, "making a key in the TPM", err)
	}
	k.public, k.private = tpm2.Marshal(rsp.OutPublic), tpm2.Marshal(rsp.OutPrivate)
	k.ecdsa, err = signing(k.public)
	return err
}

// template is a key that never leaves its TPM and signs digests by ECDSA with
// SHA-256. One without a passphrase has nothing to guess, so that the TPM's
// lockout need not stop it.
func template(noAuth bool) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true,
			UserWithAuth: true, SignEncrypt: true, NoDA: noAuth,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			Scheme:  tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})},
			CurveID: tpm2.TPMECCNistP256,
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}
