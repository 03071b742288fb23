package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// statementInfo parts the key for statements from all else that may ever be
// derived from the same seed.
const statementInfo = "amber statement ECDSA P-256 v1"

// statementFile is where the public half of that key lies, beside a key's file.
const statementFile = ".p256.pub"

// StatementSigner is what Unlock's signers are too: they have a key of ECDSA
// P-256, which stock openssl verifies, for in-toto Statements. Of an Ed25519
// key it is derived from the seed (HKDF-SHA256), so that there is one secret
// and one passphrase; an ECDSA key is its own.
type StatementSigner interface {
	ssh.Signer
	Statements() crypto.Signer
}

type statementSigner struct {
	ssh.Signer
	p256 crypto.Signer
}

func (s *statementSigner) Statements() crypto.Signer { return s.p256 }

// withStatements adds the key for statements to a key of one's own.
func withStatements(private any) (ssh.Signer, error) {
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return nil, err
	}
	switch k := private.(type) {
	case *ed25519.PrivateKey:
		p256, err := derived(*k)
		return &statementSigner{signer, p256}, err
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return &statementSigner{signer, k}, nil
		}
	}
	return signer, nil
}

// derived is a private key of P-256: HKDF over the seed gives 128 bits more
// than the order has, which are reduced (FIPS 186-5, A.2.1).
func derived(key ed25519.PrivateKey) (*ecdsa.PrivateKey, error) {
	order := elliptic.P256().Params().N
	raw, err := hkdf.Key(sha256.New, key.Seed(), nil, statementInfo, (order.BitLen()+128)/8)
	if err != nil {
		return nil, fmt.Errorf("deriving the key for statements: %w", err)
	}
	one := big.NewInt(1)
	d := new(big.Int).SetBytes(raw)
	d.Mod(d, new(big.Int).Sub(order, one)).Add(d, one)
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
}

// StatementKey is the public half of the key for statements that belongs to the
// key at path, which New has written beside it: nil where there is none.
func StatementKey(path string) (ssh.PublicKey, error) {
	f, err := os.Open(path + statementFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key for statements: %w", err)
	}
	defer f.Close()
	data, err := readBounded(f)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	return pub, nil
}

// writeStatementKey writes the public half beside a new key.
func writeStatementKey(path string, private ed25519.PrivateKey, comment string) error {
	p256, err := derived(private)
	if err != nil {
		return err
	}
	pub, err := ssh.NewPublicKey(&p256.PublicKey)
	if err != nil {
		return err
	}
	return writeNew(path+statementFile, publicLine(pub, comment))
}

func publicLine(pub ssh.PublicKey, comment string) []byte {
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(pub)), "\n")
	if comment != "" {
		line += " " + comment
	}
	return []byte(line + "\n")
}
