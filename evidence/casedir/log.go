package casedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/keys"
)

// ErrReadOnly says that the case was opened for reading.
var ErrReadOnly = errors.New("the case is open for reading only")

// Log enters e in the custody log: with the case, the tool, the host, the clock
// and the actor filled in, signed where a signer is set. Where the case cannot
// be written the entry goes to a log beside it: LogPath says where.
func (c *Case) Log(e custody.Entry) (custody.Receipt, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.openLog(); err != nil {
		return custody.Receipt{}, err
	}
	e.Case, e.Tool, e.Beside = c.info.ID, c.Tool, c.beside
	custody.Stamp(&e)
	_, receipt, err := c.log.Append(e, c.Signer)
	return receipt, err
}

// LogPath is the log that Log writes to. It differs from CustodyPath where the
// case cannot be written.
func (c *Case) LogPath() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.openLog(); err != nil {
		return "", err
	}
	return c.log.Path(), nil
}

// CustodyPath is the case's own custody log.
func (c *Case) CustodyPath() string { return filepath.Join(c.dir, custodyLog) }

func (c *Case) openLog() error {
	if c.log != nil {
		return nil
	}
	log, err := custody.Open(c.CustodyPath())
	if readOnly(err) {
		return c.openBeside()
	}
	c.log = log
	return err
}

func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)
}

// openBeside opens a log of its own chain next to the case's directory, or,
// where that cannot be written either, under $XDG_STATE_HOME/amber/custody.
func (c *Case) openBeside() error {
	head, err := custody.Head(c.CustodyPath())
	if err == nil {
		c.beside = &custody.Anchor{Sequence: head.Sequence, Hash: head.Hash}
	}
	c.log, err = custody.Open(c.dir + "." + custodyLog)
	if !readOnly(err) {
		return err
	}
	dir, err := stateDir()
	if err != nil {
		return fmt.Errorf("the case cannot be written, nor can a log beside it: %w", err)
	}
	if err := durable.MkdirAll(dir); err != nil {
		return fmt.Errorf("the case cannot be written, nor can a log beside it: %w", err)
	}
	c.log, err = custody.Open(filepath.Join(dir, c.info.ID+".jsonl"))
	return err
}

func stateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "amber", "custody"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "amber", "custody"), err
}

// AddSigner lets the keys of allowed_signers lines sign in this case, and enters
// that in the custody log with the digests of case.json before and after. Lines
// that are there already change nothing.
func (c *Case) AddSigner(lines ...string) error {
	if c.held == nil {
		return fmt.Errorf("adding a signer: %w", ErrReadOnly)
	}
	var added []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		s, err := keys.ParseSigners([]byte(line))
		if err == nil && (s.Len() != 1 || strings.Contains(line, "\n")) {
			err = errors.New("want one line of an allowed_signers file")
		}
		if err != nil {
			return fmt.Errorf("adding a signer: %w", err)
		}
		if !slices.Contains(c.info.Signers, line) {
			added = append(added, line)
		}
	}
	if len(added) == 0 {
		return nil
	}
	before, err := c.infoDigest()
	if err != nil {
		return err
	}
	old := c.info.Signers
	c.info.Signers = append(slices.Clip(old), added...)
	if err := c.writeInfo(nil); err != nil {
		c.info.Signers = old
		return fmt.Errorf("adding a signer: %w", err)
	}
	after, err := c.infoDigest()
	if err != nil {
		return err
	}
	_, err = c.Log(custody.Entry{Action: "add-signer", Counterparty: strings.Join(added, "\n"), Before: before, After: after, Result: "done"})
	return err
}

// infoDigest is the SHA-256 of case.json as it stands.
func (c *Case) infoDigest() (string, error) {
	data, err := readFile(filepath.Join(c.dir, infoFile))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", infoFile, err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
