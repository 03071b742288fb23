package casedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"amber/evidence/canon"
	"amber/evidence/custody"
	"amber/evidence/keys"
)

// NewSigners gives the lines of a list that are none of the case's yet, each
// parsed by itself.
func (c *Case) NewSigners(lines ...string) ([]string, error) {
	var added []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		s, err := keys.ParseSigners([]byte(line))
		if err == nil && (s.Len() != 1 || strings.Contains(line, "\n")) {
			err = errors.New("want one line of an allowed_signers file")
		}
		if err != nil {
			return nil, fmt.Errorf("adding a signer: %w", err)
		}
		if !slices.Contains(c.info.Signers, line) && !slices.Contains(added, line) {
			added = append(added, line)
		}
	}
	return added, nil
}

// AddSigner lets the keys of allowed_signers lines sign in this case. That is
// entered in the custody log, with the digests of case.json before and after,
// and then done: of an addition that was cut off the log tells. Lines that are
// there already change nothing.
func (c *Case) AddSigner(lines ...string) error { return c.AddSigners(custody.Entry{}, lines...) }

// AddSigners is AddSigner with a reason and an authority.
func (c *Case) AddSigners(why custody.Entry, lines ...string) error {
	if c.held == nil {
		return fmt.Errorf("adding a signer: %w", ErrReadOnly)
	}
	added, err := c.NewSigners(lines...)
	if err != nil || len(added) == 0 {
		return err
	}
	before, err := c.infoDigest()
	if err != nil {
		return err
	}
	old := c.info.Signers
	c.info.Signers = append(slices.Clip(old), added...)
	if err := c.enterSigners(why, added, before); err != nil {
		c.info.Signers = old
		return fmt.Errorf("adding a signer: %w", err)
	}
	return nil
}

func (c *Case) enterSigners(e custody.Entry, added []string, before string) error {
	text, err := canon.Marshal(c.info)
	if err != nil {
		return err
	}
	e.Action, e.Counterparty, e.Result = custody.ActionAddSigner, strings.Join(added, "\n"), "done"
	e.Before, e.After = before, digestOf(append(text, '\n'))
	if _, err := c.Log(e); err != nil {
		return err
	}
	return c.writeInfo(nil)
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// infoDigest is the SHA-256 of case.json as it stands.
func (c *Case) infoDigest() (string, error) {
	data, err := readFile(filepath.Join(c.dir, infoFile))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", infoFile, err)
	}
	return digestOf(data), nil
}

// CutOffSigners gives the entry of an addition of signers that was entered last,
// and not done: case.json is as it was before. 0 for none.
func (c *Case) CutOffSigners() (entry int64) {
	now, err := c.infoDigest()
	if err != nil {
		return 0
	}
	var last custody.Entry
	for e, err := range custody.Entries(c.CustodyPath()) {
		if err == nil && e.Action == custody.ActionAddSigner {
			last = e
		}
	}
	if last.Before == now && last.After != now {
		return last.Sequence
	}
	return 0
}
