package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// The namespaces that amber signs in: a signature made for one is none for the
// others (PROTOCOL.sshsig).
const (
	NamespaceBundle  = "amber"         // over SHA256SUMS of a bundle
	NamespaceCustody = "amber-custody" // over a line of the custody log
	NamespaceReceipt = "amber-receipt" // over a receipt for the custody log's head
)

// ErrSignature is what every failure of Verify wraps.
var ErrSignature = errors.New("bad signature")

const (
	armorBegin = "-----BEGIN SSH SIGNATURE-----\n"
	armorEnd   = "-----END SSH SIGNATURE-----\n"
	armorWidth = 70 // as ssh-keygen breaks its lines
)

// Sign signs message in namespace and gives the armored signature, byte for
// byte as ssh-keygen -Y sign writes it.
func Sign(signer ssh.Signer, namespace string, message io.Reader) ([]byte, error) {
	blob, err := SignBlob(signer, namespace, message)
	if err != nil {
		return nil, err
	}
	return armor(blob), nil
}

// SignBlob is Sign without the armor: the binary SSHSIG blob.
func SignBlob(signer ssh.Signer, namespace string, message io.Reader) ([]byte, error) {
	sig, err := sshsig.Sign(message, signer, sshsig.HashSHA512, namespace)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return sig.Marshal(), nil
}

// Verify checks an armored signature over message in namespace and gives the
// key that made it; who that is, Signers.Lookup says. The armor must be the one
// encoding that ssh-keygen writes, so that no changed byte of it passes.
func Verify(armored []byte, message io.Reader, namespace string) (ssh.PublicKey, error) {
	blob, err := unarmor(armored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return VerifyBlob(blob, message, namespace)
}

// VerifyBlob is Verify for a signature without armor.
func VerifyBlob(blob []byte, message io.Reader, namespace string) (ssh.PublicKey, error) {
	sig, err := parse(blob)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := sshsig.Verify(message, sig, sig.PublicKey, sshsig.HashSHA512, namespace); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return sig.PublicKey, nil
}

func parse(blob []byte) (*sshsig.Signature, error) {
	sig, err := sshsig.ParseSignature(blob)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sig.Marshal(), blob) {
		return nil, errors.New("not the one encoding of the signature")
	}
	if sig.HashAlgorithm != sshsig.HashSHA512 {
		return nil, fmt.Errorf("hash algorithm %q; want sha512", sig.HashAlgorithm)
	}
	return sig, checkSignature(sig.PublicKey.Type(), sig.Signature)
}

// checkSignature refuses the freedom that the wire format leaves: bytes after
// the signature, and more than one spelling of ECDSA's numbers.
func checkSignature(keyType string, sig *ssh.Signature) error {
	switch keyType {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256:
		if len(sig.Rest) != 0 {
			return errors.New("bytes after the signature")
		}
	case ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		const userPresent = 1
		if len(sig.Rest) != 5 {
			return errors.New("security key signature without flags and counter")
		}
		if sig.Rest[0]&userPresent == 0 {
			return errors.New("security key signed without a touch")
		}
	default:
		return fmt.Errorf("key type %q is not one that amber takes", keyType)
	}
	if keyType == ssh.KeyAlgoECDSA256 || keyType == ssh.KeyAlgoSKECDSA256 {
		return checkECDSA(sig.Blob)
	}
	return nil
}

func checkECDSA(blob []byte) error {
	var rs struct{ R, S *big.Int }
	if err := ssh.Unmarshal(blob, &rs); err != nil {
		return err
	}
	if !bytes.Equal(ssh.Marshal(rs), blob) {
		return errors.New("not the one encoding of the signature's numbers")
	}
	return nil
}

func armor(blob []byte) []byte {
	text := base64.StdEncoding.EncodeToString(blob)
	out := []byte(armorBegin)
	for len(text) > 0 {
		n := min(armorWidth, len(text))
		out = append(append(out, text[:n]...), '\n')
		text = text[n:]
	}
	return append(out, armorEnd...)
}

func unarmor(armored []byte) ([]byte, error) {
	if len(armored) > maxKeyFile {
		return nil, fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	body, ok := bytes.CutPrefix(armored, []byte(armorBegin))
	if !ok {
		return nil, errors.New("no armored SSH signature")
	}
	body, ok = bytes.CutSuffix(body, []byte(armorEnd))
	if !ok {
		return nil, errors.New("no end of the armor, or bytes after it")
	}
	blob, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(armor(blob), armored) {
		return nil, errors.New("not the one encoding of the armor")
	}
	return blob, nil
}
