package custody

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"amber/evidence/durable"
)

// lockTimeout bounds the wait for another process that is appending.
const lockTimeout = 10 * time.Second

// Log is a custody log that is open for appending. Several processes may have
// one log open; one Log is not for several goroutines at once.
type Log struct {
	path string
	file *durable.File
}

// Open opens the log at path and makes it where it is absent.
func Open(path string) (*Log, error) {
	f, err := durable.Append(path)
	if err != nil {
		return nil, fmt.Errorf("opening the custody log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the custody log: %w", err), f.Close())
	}
	return &Log{path: path, file: f}, nil
}

// Path is where the log lies.
func (l *Log) Path() string { return l.path }

// Close closes the log.
func (l *Log) Close() error { return l.file.Close() }

// Append chains e to the log, signs it where signer is not nil, and gives what
// was written and a receipt for it; when it returns, the line is on the disk.
// It reads no more of the log than its last line, and where it signs those that
// nobody signed before it. What a crash left of a line
// is first moved into an entry of its own.
func (l *Log) Append(e Entry, signer ssh.Signer) (Entry, Receipt, error) {
	fail := func(err error) (Entry, Receipt, error) {
		return Entry{}, Receipt{}, fmt.Errorf("appending to the custody log %s: %w", l.path, err)
	}
	if err := l.lock(); err != nil {
		return fail(err)
	}
	defer l.unlock()
	e.clean()
	if err := l.heal(e, signer); err != nil {
		return fail(err)
	}
	e, hash, err := l.append(e, signer)
	if err != nil {
		return fail(err)
	}
	return e, Receipt{Case: e.Case, Sequence: e.Sequence, Hash: hash, Time: e.Time}, nil
}

// append does so under the lock, in a log that ends in a whole line.
func (l *Log) append(e Entry, signer ssh.Signer) (Entry, string, error) {
	t, err := l.tail()
	if err != nil {
		return e, "", err
	}
	looked := e.Previous
	if e.Sequence, e.Previous, err = follow(t.last, e.Case); err != nil {
		return e, "", err
	}
	if looked != "" && looked != e.Previous {
		return e, "", ErrGrown
	}
	e.Unsigned = 0
	if signer == nil {
		e.Seen = nil // nobody vouches for anything
	} else if e.Unsigned, err = unsignedAtEnd(l.file, t.size); err != nil {
		return e, "", err
	}
	e, text, err := encode(e, signer)
	if err != nil {
		return e, "", err
	}
	if e.Torn == nil && len(text) > maxEntry {
		return e, "", fmt.Errorf("an entry of %d bytes is too long", len(text))
	}
	if err := durable.AppendLine(l.file, text); err != nil {
		return e, "", err
	}
	if t.last == nil {
		err = l.syncDir() // the log may be new
	}
	return e, hashLine(text), err
}

// follow gives the sequence and previous hash of the line after last.
func follow(last []byte, caseID string) (int64, string, error) {
	if last == nil {
		return 1, zeros, nil
	}
	var before struct {
		Sequence int64  `json:"sequence"`
		Case     string `json:"case"`
	}
	if err := json.Unmarshal(last, &before); err != nil || before.Sequence < 1 {
		return 0, "", errors.New("its last line is not an entry: run verify on it")
	}
	if before.Case != caseID {
		return 0, "", fmt.Errorf("it is the log of case %q, not %q", before.Case, caseID)
	}
	return before.Sequence + 1, hashLine(last), nil
}

func (l *Log) tail() (tail, error) {
	info, err := l.file.Stat()
	if err != nil {
		return tail{}, err
	}
	return readTail(l.file, info.Size())
}

func (l *Log) lock() error {
	give := time.Now().Add(lockTimeout)
	for {
		err := unix.Flock(int(l.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return nil
		}
		if err != unix.EWOULDBLOCK && err != unix.EINTR {
			return os.NewSyscallError("flock", err)
		}
		if time.Now().After(give) {
			return fmt.Errorf("another process has held its lock for %v", lockTimeout)
		}
		time.Sleep(time.Millisecond)
	}
}

func (l *Log) unlock() { _ = unix.Flock(int(l.file.Fd()), unix.LOCK_UN) }
