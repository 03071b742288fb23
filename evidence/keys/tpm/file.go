package tpm

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/pem"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

const pemType = "TSS2 PRIVATE KEY"

// maxPart bounds TPM2B_PUBLIC and TPM2B_PRIVATE: a TPM takes less at once.
const maxPart = 4 << 10

// loadable is id-loadablekey: a key that TPM2_Load takes under its parent.
var loadable = asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3}

// Key is what a key file says. Nothing of it is secret but to its own TPM.
type Key struct {
	noAuth    bool // it has no passphrase
	rsaParent bool // the owner's storage key that it lies under is RSA 2048, not ECC P-256
	parent    tpm2.TPMHandle
	public    []byte // TPM2B_PUBLIC
	private   []byte // TPM2B_PRIVATE

	ecdsa *ecdsa.PublicKey
}

// Public is the key's public half, always on P-256.
func (k *Key) Public() *ecdsa.PublicKey { return k.ecdsa }

// NeedsPassphrase reports whether the TPM wants one.
func (k *Key) NeedsPassphrase() bool { return !k.noAuth }

// Is reports whether a file looks like a TPM's key, which Parse may yet refuse.
func Is(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(data, "\r\n\t "), []byte("-----BEGIN "+pemType+"-----"))
}

// Parse reads a key file: one PEM block and no more. Every error is ErrFile.
func Parse(data []byte) (*Key, error) {
	block, rest := pem.Decode(data)
	switch {
	case block == nil || block.Type != pemType || !Is(data):
		return nil, fmt.Errorf("%w: no PEM block %q", ErrFile, pemType)
	case len(block.Headers) != 0:
		return nil, fmt.Errorf("%w: the PEM block has headers", ErrFile)
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, fmt.Errorf("%w: something follows the PEM block", ErrFile)
	}
	k, err := parseDER(block.Bytes)
	if err == nil {
		k.ecdsa, err = signing(k.public)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return k, nil
}

// parseDER reads TPMKey (section 3.1 of the draft).
func parseDER(der cryptobyte.String) (*Key, error) {
	var body, public, private cryptobyte.String
	var kind asn1.ObjectIdentifier
	if !der.ReadASN1(&body, tags.SEQUENCE) || !der.Empty() || !body.ReadASN1ObjectIdentifier(&kind) {
		return nil, fmt.Errorf("no TPMKey")
	}
	if !kind.Equal(loadable) {
		return nil, fmt.Errorf("a key of type %v; want a loadable key, %v", kind, loadable)
	}
	k := &Key{}
	if err := k.parseOptions(&body); err != nil {
		return nil, err
	}
	var parent uint32
	if !body.ReadASN1Integer(&parent) || !body.ReadASN1(&public, tags.OCTET_STRING) ||
		!body.ReadASN1(&private, tags.OCTET_STRING) || !body.Empty() {
		return nil, fmt.Errorf("TPMKey: want parent, pubkey and privkey, and nothing after them")
	}
	k.parent, k.public, k.private = tpm2.TPMHandle(parent), public, private
	return k, k.checkParts()
}

// parseOptions reads the optional fields, of which those that say how else than
// by a passphrase the key is opened are refused.
func (k *Key) parseOptions(body *cryptobyte.String) error {
	for tag, name := range []string{"emptyAuth", "policy", "secret", "authPolicy", "description", "rsaParent"} {
		var field cryptobyte.String
		var present bool
		if !body.ReadOptionalASN1(&field, &present, tags.Tag(tag).ContextSpecific().Constructed()) {
			return fmt.Errorf("TPMKey: field %s", name)
		}
		if !present {
			continue
		}
		var err error
		switch name {
		case "emptyAuth":
			k.noAuth, err = boolean(field)
		case "rsaParent":
			k.rsaParent, err = boolean(field)
		case "description":
		default:
			return fmt.Errorf("it has %s: only keys under a passphrase, or without, can sign here", name)
		}
		if err != nil {
			return fmt.Errorf("TPMKey: field %s: %w", name, err)
		}
	}
	return nil
}

// boolean takes true as any byte but 0: openssl's tpm2 provider writes 1, where
// DER has 255.
func boolean(field cryptobyte.String) (bool, error) {
	var value cryptobyte.String
	if !field.ReadASN1(&value, tags.BOOLEAN) || !field.Empty() || len(value) != 1 {
		return false, fmt.Errorf("no boolean")
	}
	return value[0] != 0, nil
}

func (k *Key) checkParts() error {
	persistent := k.parent>>24 == tpm2.TPMHandle(tpm2.TPMHTPersistent)
	if k.parent != tpm2.TPMRHOwner && !persistent {
		return fmt.Errorf("it lies under %#x; want the owner hierarchy (%#x) or a persistent key (0x81……)", uint32(k.parent), uint32(tpm2.TPMRHOwner))
	}
	for name, part := range map[string][]byte{"pubkey": k.public, "privkey": k.private} {
		var inner cryptobyte.String
		s := cryptobyte.String(part)
		if len(part) > maxPart || !s.ReadUint16LengthPrefixed(&inner) || !s.Empty() || inner.Empty() {
			return fmt.Errorf("%s is not of the length that it says", name)
		}
	}
	return nil
}

// PEM is the key's file.
func (k *Key) PEM() ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(loadable)
		addFlag(b, 0, k.noAuth) // also false: openssl's tpm2 provider takes absent as true
		if k.rsaParent {
			addFlag(b, 5, true)
		}
		b.AddASN1Uint64(uint64(k.parent))
		b.AddASN1OctetString(k.public)
		b.AddASN1OctetString(k.private)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("writing a TPM's key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

func addFlag(b *cryptobyte.Builder, tag uint8, value bool) {
	b.AddASN1(tags.Tag(tag).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) { b.AddASN1Boolean(value) })
}
