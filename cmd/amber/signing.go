package main

import (
	"bytes"
	"crypto/rand"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence"
	"amber/evidence/keys"
)

// unlock gives the user's key, asking for its passphrase.
func unlock() (ssh.Signer, error) {
	path, err := keys.DefaultPath()
	if err != nil {
		return nil, err
	}
	return keys.Unlock(path, keys.Ask(path))
}

// sealSigner signs bundles with a key; nil for no key.
func sealSigner(s ssh.Signer) evidence.Signer {
	if s == nil {
		return nil
	}
	return func(sums []byte) ([]byte, error) { return keys.Sign(s, evidence.Namespace, bytes.NewReader(sums)) }
}

// newID names a bundle: when it was begun, of what, and six random letters.
func newID(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, name)
	return time.Now().UTC().Format("20060102T150405Z") + "-" + shorten(plain, 40) + "-" + strings.ToLower(rand.Text()[:6])
}
