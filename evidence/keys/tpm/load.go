package tpm

import (
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// nonceSize of a session: half of its hash, the least that the TCG allows.
const nonceSize = 16

// provisioned is where the TCG's provisioning guidance puts the storage key for
// good: under an owner with a password it cannot be derived again.
const provisioned = tpm2.TPMHandle(0x81000001)

// errOwner says that the storage key cannot be derived.
var errOwner = fmt.Errorf("%w: its owner hierarchy has a password, which amber does not take (tpm2_changeauth -c owner -p PASSWORD takes it off), and no storage key for all is at %#x", ErrDevice, uint32(provisioned))

// object is one that is in the TPM now.
type object struct {
	handle tpm2.TPMHandle
	name   tpm2.TPM2BName
	public tpm2.TPMTPublic
}

// session proves the passphrase without showing it, under a key that the parent
// alone can read; so nobody who listens on the wires between has it, or can try
// guesses. What else is secret in a command is encrypted too.
func session(parent *object, auth []byte) tpm2.Session {
	return tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.Auth(auth),
		tpm2.Salted(parent.handle, parent.public), tpm2.AESEncryption(128, tpm2.EncryptIn))
}

func (o *object) as(s tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: o.handle, Name: o.name, Auth: s}
}

// flush takes an object out of the TPM again, where it is not there for good. A
// resource manager does it too, but not everybody has one.
func (o *object) flush(t transport.TPM) error {
	if o.handle>>24 == tpm2.TPMHandle(tpm2.TPMHTPersistent) {
		return nil
	}
	if _, err := (tpm2.FlushContext{FlushHandle: o.handle}).Execute(t); err != nil {
		return explain(t, "taking a key out of the TPM", err)
	}
	return nil
}

// storageKey is the key that k lies under.
func storageKey(t transport.TPM, k *Key) (*object, error) {
	if k.parent != tpm2.TPMRHOwner {
		return persistentKey(t, k.parent)
	}
	template := tpm2.ECCSRKTemplate
	// The key file's draft leaves the point out, where the TCG's has zeros.
	template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	if k.rsaParent {
		template = tpm2.RSASRKTemplate
		template.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{})
	}
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(template)}.Execute(t)
	if wrongAuth(err) {
		return nil, errOwner
	}
	if err != nil {
		return nil, explain(t, "deriving the TPM's storage key", err)
	}
	public, err := rsp.OutPublic.Contents()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the TPM's storage key: %w", err), (&object{handle: rsp.ObjectHandle}).flush(t))
	}
	return &object{rsp.ObjectHandle, rsp.Name, *public}, nil
}

func persistentKey(t transport.TPM, handle tpm2.TPMHandle) (*object, error) {
	rsp, err := tpm2.ReadPublic{ObjectHandle: handle}.Execute(t)
	if errors.Is(err, tpm2.TPMRCHandle) {
		return nil, fmt.Errorf("%w: it has no key at %#x, under which this one lies", ErrForeign, uint32(handle))
	}
	if err != nil {
		return nil, explain(t, "reading the TPM's storage key", err)
	}
	public, err := rsp.OutPublic.Contents()
	if err != nil {
		return nil, fmt.Errorf("reading the TPM's storage key: %w", err)
	}
	return &object{handle, rsp.Name, *public}, nil
}

// load puts k into the TPM, under its parent.
func load(t transport.TPM, k *Key, parent *object) (*object, error) {
	public, err := publicArea(k.public)
	if err != nil {
		return nil, err
	}
	rsp, err := tpm2.Load{
		ParentHandle: parent.as(tpm2.PasswordAuth(nil)),
		InPrivate:    tpm2.TPM2BPrivate{Buffer: k.private[2:]},
		InPublic:     tpm2.New2B(*public),
	}.Execute(t)
	switch {
	case errors.Is(err, tpm2.TPMRCIntegrity), errors.Is(err, tpm2.TPMRCBinding), errors.Is(err, tpm2.TPMRCSize):
		return nil, fmt.Errorf("%w: sign on the machine where it was made, or make another (amber keys new --tpm): %w", ErrForeign, err)
	case wrongAuth(err):
		return nil, fmt.Errorf("%w: the key lies under one that has a password, which amber does not take", ErrDevice)
	case err != nil:
		return nil, explain(t, "loading the key into the TPM", err)
	}
	return &object{rsp.ObjectHandle, rsp.Name, *public}, nil
}
