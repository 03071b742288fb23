package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/encrypt"
)

// encryptFlags say for whom a bundle is encrypted.
func encryptFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "encrypt-to", Usage: "encrypt the bundle for a custodian: `RECIPIENT` (age1..., ssh-ed25519 ...) or a file of these; name two at least"},
		&cli.BoolFlag{Name: "one-custodian", Usage: "one is enough, who can lose the key and the evidence with it"},
	}
}

// custodians reads them; none where the bundle is not to be encrypted.
func custodians(c *cli.Context) ([]encrypt.Recipient, error) {
	args := c.StringSlice("encrypt-to")
	if len(args) == 0 {
		if c.Bool("one-custodian") {
			return nil, usagef("--one-custodian goes with --encrypt-to")
		}
		return nil, nil
	}
	to, err := encrypt.Custodians(args, c.Bool("one-custodian"))
	if err != nil {
		return nil, usagef("--encrypt-to: %w", err)
	}
	return to, nil
}

// forwardCustodians gives them to an amber that has not this one's files.
func forwardCustodians(c *cli.Context) ([]string, error) {
	to, err := custodians(c)
	if err != nil || len(to) == 0 {
		return nil, err
	}
	args := []string{fmt.Sprintf("--one-custodian=%v", c.Bool("one-custodian"))}
	for _, r := range to {
		args = append(args, "--encrypt-to", r.String())
	}
	return args, nil
}

// encrypting makes w write for the custodians alone, and says what their keys
// are worth.
func (a *acquirer) encrypting(w *evidence.Writer, b *bundleResult) error {
	to, err := custodians(a.c)
	if err != nil || len(to) == 0 {
		return err
	}
	keys, err := w.EncryptTo(to)
	if err != nil {
		return fmt.Errorf("encrypting the bundle: %w", err)
	}
	b.Encryption = &evidence.Encryption{Custodians: []evidence.Custodian{}}
	for _, k := range keys {
		b.Encryption.Custodians = append(b.Encryption.Custodians, evidence.Custodian{Key: k.Name, Recipient: k.Recipient})
	}
	ok, words := encrypt.PostQuantum(keys)
	b.Encryption.PostQuantum = words
	if !ok {
		a.warn("the encryption of " + b.ID + " does not last against a quantum computer: " + strings.TrimPrefix(words, "no: "))
	}
	return nil
}

// printEncryption tells for whom a bundle is encrypted, and what could not be
// looked into.
func printEncryption(w io.Writer, e *evidence.Encryption) {
	if e == nil {
		return
	}
	for _, c := range e.Custodians {
		fmt.Fprintf(w, "  encrypted   %s for %s\n", safeLines(c.Key), safeLines(c.Recipient))
	}
	if e.PostQuantum != "" {
		fmt.Fprintf(w, "  post-quantum secrecy: %s\n", safeLines(e.PostQuantum))
	}
	if e.Unchecked != "" {
		fmt.Fprintf(w, "  not checked: %s\n", safeLines(e.Unchecked))
	}
}

// encryptedFor is what the custody log says of it.
func encryptedFor(e *evidence.Encryption) string {
	if e == nil {
		return ""
	}
	var names []string
	for _, c := range e.Custodians {
		names = append(names, c.Recipient)
	}
	return ", encrypted for " + strings.Join(names, ", ")
}
