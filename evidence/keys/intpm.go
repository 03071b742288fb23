package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/crypto/ssh"

	"amber/evidence/durable"
	"amber/evidence/keys/tpm"
)

// NewInTPM makes a key of ECDSA P-256 in the TPM, and puts the file that this
// TPM alone can open at path, with its public half in path.pub, as New does. The
// passphrase may be empty, and has at most tpm.MaxAuth bytes. The error may be
// ErrLocked, beside tpm's own.
func NewInTPM(path string, device tpm.Device, passphrase []byte, comment string) (ssh.PublicKey, error) {
	if err := checkComment(comment); err != nil {
		return nil, err
	}
	if err := absent(path); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	key, err := device.New(passphrase)
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", locked(err))
	}
	file, err := key.PEM()
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	pub, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if err := writeNew(path, file); err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	if err := writeNew(path+".pub", publicLine(pub, comment)); err != nil {
		return nil, fmt.Errorf("the key %s is made, its public half is not: %w", path, err)
	}
	return pub, nil
}

// absent fails early where a file is there, before a TPM is asked for anything.
func absent(path string) error {
	_, err := os.Lstat(path)
	if err == nil {
		return &fs.PathError{Op: "open", Path: path, Err: syscall.EEXIST}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Unasked reports whether the key at path signs without a passphrase of its own:
// one that an ssh-agent keeps, or one in a TPM that has none.
func Unasked(path string) bool {
	if InAgent(path) {
		return true
	}
	data, err := readPrivate(path)
	if err != nil || !tpm.Is(data) {
		return false
	}
	key, err := tpm.Parse(data)
	return err == nil && !key.NeedsPassphrase()
}

// inTPM unlocks a key file of a TPM.
func inTPM(path string, data []byte, passphrase func() ([]byte, error)) (ssh.Signer, error) {
	key, err := tpm.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	var secret []byte
	if key.NeedsPassphrase() {
		if secret, err = passphrase(); err != nil {
			return nil, fmt.Errorf("reading the key %s: %w: %w", path, ErrLocked, err)
		}
	}
	p256, err := key.Open(tpm.Default(), secret)
	if err != nil {
		return nil, fmt.Errorf("unlocking the key %s: %w", path, locked(err))
	}
	signer, err := ssh.NewSignerFromSigner(p256)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return &statementSigner{signer, p256}, nil
}

func publicInTPM(path string, data []byte) (ssh.PublicKey, error) {
	key, err := tpm.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", path, err)
	}
	return ssh.NewPublicKey(key.Public())
}

// locked marks what a passphrase, or waiting, mends.
func locked(err error) error {
	if errors.Is(err, tpm.ErrAuth) || errors.Is(err, tpm.ErrLockout) {
		return fmt.Errorf("%w: %w", ErrLocked, err)
	}
	return err
}
