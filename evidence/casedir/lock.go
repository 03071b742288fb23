package casedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence/safetext"
)

// Holder is the process that has a case open for writing.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Argv  []string  `json:"argv"`
	Since time.Time `json:"since"`
}

// LockedError says that another process has the case open for writing. Holder
// is what it says of itself; its PID is 0 where that cannot be read.
type LockedError struct {
	Dir    string
	Holder Holder
}

func (e *LockedError) Error() string {
	h := e.Holder
	if h.PID == 0 {
		return "another process is writing to this case"
	}
	return fmt.Sprintf("process %d on %s (%s) has been writing to this case since %s",
		h.PID, safetext.Line(h.Host), safetext.Line(strings.Join(h.Argv, " ")), h.Since.UTC().Format(time.RFC3339))
}

// lock is the file lock, held by flock, which ends with the process: what a dead
// holder left in the file locks nobody out. The content is for people, so it is
// neither synced nor a fault point.
type lock struct{ file *os.File }

const maxHolder = 64 << 10

func takeLock(dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the case: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		holder := readHolder(f)
		return nil, errors.Join(&LockedError{Dir: dir, Holder: holder}, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the case: %w", err), f.Close())
	}
	l := &lock{file: f}
	if err := l.sign(); err != nil {
		return nil, errors.Join(fmt.Errorf("locking the case: %w", err), f.Close())
	}
	return l, nil
}

// sign writes who holds the lock. A full disk is no reason to hold nothing: the
// lock is good without.
func (l *lock) sign() error {
	host, _ := os.Hostname()
	text, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Argv: os.Args, Since: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	if _, err := l.file.WriteAt(append(text, '\n'), 0); err != nil && !errors.Is(err, unix.ENOSPC) {
		return err
	}
	return nil
}

// readHolder reads what the holder wrote, which it may be writing just now.
func readHolder(f *os.File) Holder {
	data, err := io.ReadAll(io.LimitReader(f, maxHolder))
	var h Holder
	if err != nil || json.Unmarshal(data, &h) != nil {
		return Holder{}
	}
	return h
}

func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
