package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"filippo.io/age"
)

const (
	encryptRuns = 5
	encryptMost = 1.15 // times the collection without
)

// encrypt collects the large image in turn without and with encryption for two
// custodians, and reads one small member of what is encrypted.
func (b *bench) encrypt() error {
	if err := b.startFull(); err != nil {
		return err
	}
	to, identity, err := b.custodians()
	if err != nil {
		return err
	}
	var plain, encrypted []collected
	for i := range encryptRuns + 1 {
		syscall.Sync()
		p, err := b.collect("big", "collect", "--full")
		if err != nil {
			return err
		}
		if err := p.remove(); err != nil {
			return err
		}
		syscall.Sync()
		e, err := b.collect("big", append([]string{"collect", "--full"}, to...)...)
		if err != nil {
			return err
		}
		if i > 0 { // the first warms the cache
			plain, encrypted = append(plain, p), append(encrypted, e)
		}
		if i == encryptRuns {
			break
		}
		if err := e.remove(); err != nil {
			return err
		}
	}
	b.encryptRows(plain, encrypted)
	return b.catEncrypted(encrypted[encryptRuns-1], identity)
}

// custodians are two, and a file of the first one's identity.
func (b *bench) custodians() (flags []string, identity string, err error) {
	for range 2 {
		k, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, "", err
		}
		flags = append(flags, "--encrypt-to", k.Recipient().String())
		identity = b.path("identity")
		if err := os.WriteFile(identity, []byte(k.String()), 0o600); err != nil {
			return nil, "", err
		}
	}
	return flags, identity, nil
}

func (b *bench) encryptRows(plain, encrypted []collected) {
	sealed := func(c collected) time.Duration { return c.sealed }
	cpu := func(c collected) time.Duration { return c.cpu() }
	b.table.head("11. 1 GiB with --full, in turn: encrypted for two custodians | not encrypted")
	e, p := medianOf(encrypted, sealed), medianOf(plain, sealed)
	ratio := float64(e) / float64(p)
	b.table.rows = append(b.table.rows, [5]string{
		fmt.Sprintf("  until the bundle is sealed, median of %d", encryptRuns), text(e), text(p), fmt.Sprintf("%.2f", ratio),
		fmt.Sprintf("≤ %.2f, %s", encryptMost, met(ratio <= encryptMost)),
	})
	b.table.beside("CPU, user and system", medianOf(encrypted, cpu), medianOf(plain, cpu), 0)
	words := func(list []collected) string {
		var w []string
		for _, c := range list {
			w = append(w, fmt.Sprintf("%.2f", c.sealed.Seconds()))
		}
		return strings.Join(w, " ")
	}
	b.table.other("until sealed, each run, s", words(encrypted), words(plain))
	b.notes = append(b.notes, fmt.Sprintf("encrypt: %s stored encrypted, %s not", mib(encrypted[0].Stored), mib(plain[0].Stored)))
}

// catEncrypted reads one small member with a custodian's identity.
func (b *bench) catEncrypted(c collected, identity string) error {
	s, err := b.run(b.amber("evidence", "cat", "--case", c.bundle.Case, "--identity", identity, c.ID, "network/proc/tcp"))
	if err != nil {
		return err
	}
	b.table.line("evidence cat of one small member: bytes read of all files, amber's own among them", mib(s.Read), "")
	return c.remove()
}
