package casedir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

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
	if e.Files == nil {
		e.Files = c.sealFiles(e)
	}
	custody.Stamp(&e)
	_, receipt, err := c.log.Append(e, c.signerOf(e.Time))
	return receipt, err
}

// signerOf is who signs an entry of that time; nil leaves it awaiting.
func (c *Case) signerOf(at time.Time) ssh.Signer {
	if c.Signer == nil || !c.Looking || c.log.Path() != c.CustodyPath() {
		return c.Signer
	}
	signers, err := c.Signers()
	if err != nil || signers.Len() == 0 {
		return c.Signer
	}
	if _, known := signers.Lookup(c.Signer.PublicKey(), keys.NamespaceCustody, at); !known {
		return nil
	}
	return c.Signer
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

// Elsewhere is the log that Log has written to, if it is not the case's own.
func (c *Case) Elsewhere() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.log == nil || c.log.Path() == c.CustodyPath() {
		return ""
	}
	return c.log.Path()
}

// CustodyPath is the case's own custody log.
func (c *Case) CustodyPath() string { return filepath.Join(c.dir, custodyLog) }

func (c *Case) openLog() error {
	if c.log != nil {
		return nil
	}
	if c.LogDir != "" {
		return c.openBeside()
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

// openBeside opens a log of its own chain in LogDir; without one next to the
// case's directory, or, where that cannot be written either, under
// $XDG_STATE_HOME/amber/custody.
func (c *Case) openBeside() error {
	head, err := custody.Head(c.CustodyPath())
	if err == nil {
		c.beside = &custody.Anchor{Sequence: head.Sequence, Hash: head.Hash}
	}
	if c.LogDir != "" {
		return c.openIn(c.LogDir)
	}
	if c.log, err = custody.Open(c.dir + "." + custodyLog); !readOnly(err) {
		return err
	}
	dir, err := stateDir()
	if err != nil {
		return fmt.Errorf("the case cannot be written, nor can a log beside it: %w", err)
	}
	return c.openIn(dir)
}

func (c *Case) openIn(dir string) (err error) {
	if err = durable.MkdirAll(dir); err != nil {
		return fmt.Errorf("the case is not written to, and a log beside it cannot be: %w", err)
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
