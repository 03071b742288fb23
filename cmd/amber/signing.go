package main

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"amber/evidence/keys"
)

// unlock gives the user's key, asking for its passphrase.
func unlock() (ssh.Signer, error) {
	u := beginUnlock()
	<-u.done
	return u.signer, u.err
}

// unlocking is a key that is being unlocked.
type unlocking struct {
	done   chan struct{}
	signer ssh.Signer // nil beside an error; both once done is closed
	err    error
}

// beginUnlockQuietly is beginUnlock where nobody is to be asked: a key whose
// passphrase is not in the environment is no key.
func beginUnlockQuietly() *unlocking {
	u := &unlocking{done: make(chan struct{})}
	go func() {
		defer close(u.done)
		u.signer = quietSigner()
	}()
	return u
}

// beginUnlock returns when nobody has to be asked any more. What is left, to
// work the key out from its passphrase, is made to take a tenth of a second, or
// is a TPM's, and goes on beside the collection.
func beginUnlock() *unlocking {
	u := &unlocking{done: make(chan struct{})}
	asked := make(chan struct{})
	over := sync.OnceFunc(func() { close(asked) })
	go func() {
		defer close(u.done)
		path, err := keys.DefaultPath()
		if err != nil {
			u.err = err
			return
		}
		if keys.Unasked(path) {
			over()
		}
		u.signer, u.err = keys.Unlock(path, func() ([]byte, error) {
			defer over()
			return keys.Ask(path)()
		})
	}()
	select {
	case <-asked:
	case <-u.done:
	}
	return u
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
