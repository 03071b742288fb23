// Package keys keeps the operator's signing key, signs and verifies in the SSH
// signature format, and reads lists of allowed signers. All its files are those
// of OpenSSH, so that ssh-keygen can take amber's place.
package keys

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/crypto/ssh"

	"amber/evidence/durable"
	"amber/evidence/keys/tpm"
)

var (
	// ErrNoKey says that there is no key file: what would be signed stays unsigned.
	ErrNoKey = errors.New("no signing key")
	// ErrLocked says that the key's passphrase is missing or wrong.
	ErrLocked = errors.New("signing key is locked")
)

// maxKeyFile bounds what is read as a key or as a list of signers.
const maxKeyFile = 64 << 10

// DefaultPath is $AMBER_KEY, or amber/key under $XDG_CONFIG_HOME or ~/.config.
func DefaultPath() (string, error) {
	if path := os.Getenv("AMBER_KEY"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding the signing key: %w (set AMBER_KEY)", err)
	}
	return filepath.Join(dir, "amber", "key"), nil
}

// New makes an Ed25519 key at path (0600, its directory 0700 where it is made)
// in OpenSSH's format under passphrase, and its public half in path.pub with
// comment ("user@host"); that of its key for statements in path.p256.pub. It never overwrites: fs.ErrExist.
func New(path string, passphrase []byte, comment string) (ssh.PublicKey, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("making a signing key: the passphrase is empty")
	}
	if err := checkComment(comment); err != nil {
		return nil, err
	}
	key, private, err := generate(passphrase, comment)
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if err := writeNew(path, private); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if err := errors.Join(writeNew(path+".pub", publicLine(pub, comment)), writeStatementKey(path, key, comment)); err != nil {
		return nil, fmt.Errorf("the key %s is made, its public half is not: %w", path, err)
	}
	return pub, nil
}

func checkComment(comment string) error {
	if strings.ContainsFunc(comment, unicode.IsControl) {
		return fmt.Errorf("making a signing key: comment %q has control characters", comment)
	}
	return nil
}

func generate(passphrase []byte, comment string) (ed25519.PrivateKey, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private, comment, passphrase)
	if err != nil {
		return nil, nil, err
	}
	return private, pem.EncodeToMemory(block), nil
}

func writeNew(path string, data []byte) error {
	f, err := durable.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return durable.SyncDir(filepath.Dir(path))
}

// Public gives the public half of the key at path. It takes it from the key
// file itself, not from path.pub, and needs no passphrase.
func Public(path string) (ssh.PublicKey, error) {
	if pub, err := agentKey(path); err == nil {
		return pub, nil
	}
	data, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	if tpm.Is(data) {
		return publicInTPM(path, data)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) && missing.PublicKey != nil {
		return missing.PublicKey, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return signer.PublicKey(), nil
}

// Unlock opens the key at path for signing; passphrase is called only for a key
// that has one. The error is ErrNoKey where there is no such file, ErrLocked
// where the passphrase is missing or wrong. A public key is unlocked by an
// ssh-agent, or not: ErrAgent. A TPM's key is unlocked by the TPM: tpm's errors.
func Unlock(path string, passphrase func() ([]byte, error)) (ssh.Signer, error) {
	if pub, err := agentKey(path); err == nil {
		return agentSigner(pub)
	}
	data, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	if tpm.Is(data) {
		return inTPM(path, data, passphrase)
	}
	private, err := ssh.ParseRawPrivateKey(data)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		private, err = unlock(data, passphrase)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	signer, err := withStatements(private)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	if t := signer.PublicKey().Type(); t != ssh.KeyAlgoED25519 && t != ssh.KeyAlgoECDSA256 {
		return nil, fmt.Errorf("reading the key %s: a key of type %s cannot sign here; want ssh-ed25519", path, t)
	}
	return signer, nil
}

func unlock(data []byte, passphrase func() ([]byte, error)) (any, error) {
	secret, err := passphrase()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	}
	if len(secret) == 0 {
		return nil, fmt.Errorf("%w: the passphrase is empty", ErrLocked)
	}
	private, err := ssh.ParseRawPrivateKeyWithPassphrase(data, secret)
	if errors.Is(err, x509.IncorrectPasswordError) {
		return nil, fmt.Errorf("%w: the passphrase is wrong", ErrLocked)
	}
	return private, err
}

func readPrivate(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s does not exist (make one with: amber keys new)", ErrNoKey, path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("reading the signing key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading the signing key: %s is not a file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("reading the signing key: %s can be read by others (mode %04o); chmod 600 %s", path, info.Mode().Perm(), path)
	}
	return readBounded(f)
}

func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxKeyFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyFile {
		return nil, fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	return data, nil
}

// Fingerprint is a key's name as ssh-keygen -l prints it: "SHA256:…".
func Fingerprint(pub ssh.PublicKey) string { return ssh.FingerprintSHA256(pub) }
