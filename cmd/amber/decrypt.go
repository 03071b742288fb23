package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/encrypt"
	"amber/evidence/keys"
	"amber/evidence/safetext"
)

// identityVariable names files of identities where --identity does not.
const identityVariable = "AMBER_IDENTITY"

// identityPassphrase is looked at before the terminal.
const identityPassphrase = "AMBER_IDENTITY_PASSPHRASE"

func identityFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "identity", Usage: "a custodian's identity, which opens what is encrypted: age's or an SSH key's `FILE` (default: " + identityVariable + ")"}
}

// identities is what keyring has read: once, however many bundles are opened.
var identities struct {
	once sync.Once
	ring *encrypt.Keyring
	err  error
}

// keyring reads the identities of --identity or AMBER_IDENTITY; nil where there
// are none.
func keyring(c *cli.Context) (*encrypt.Keyring, error) {
	identities.once.Do(func() {
		files := c.StringSlice("identity")
		if len(files) == 0 {
			files = filepath.SplitList(os.Getenv(identityVariable))
		}
		identities.ring, identities.err = encrypt.ReadIdentities(files, encrypt.User{
			Ask:  func(question string) ([]byte, error) { return keys.AskSecret(identityPassphrase, question) },
			Tell: func(text string) { fmt.Fprintln(os.Stderr, "amber: "+safetext.Line(text)) },
		})
	})
	return identities.ring, identities.err
}

// openBundle opens a bundle with the identities that there are. One that stays
// locked is an error.
func openBundle(c *cli.Context, dir string) (*evidence.Bundle, error) {
	ring, err := keyring(c)
	if err != nil {
		return nil, err
	}
	b, err := evidence.Open(dir, ring)
	if err != nil {
		return nil, err
	}
	if err := b.Locked(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}
