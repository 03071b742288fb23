package isolate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"amber/evidence/durable"
)

// lockWait is how long a second amber waits for the first to have entered its
// hold into the index, so that it can say which case it is.
const lockWait = 2 * time.Second

// errBusy says that another process has one of the locks.
var errBusy = errors.New("locked by another process")

// locks are advisory locks on containers, held while a measure is applied or
// reverted. The kernel drops them when the process dies.
type locks []*os.File

// lockRefs takes the lock of every container or of none.
func lockRefs(refs []string) (locks, error) {
	dir := HoldsDir()
	if err := durable.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("making the index of holds (AMBER_HOLDS names another place): %w", err)
	}
	var ls locks
	for _, ref := range slices.Compact(slices.Sorted(slices.Values(refs))) {
		sum := sha256.Sum256([]byte(ref))
		f, err := lockFile(filepath.Join(dir, hex.EncodeToString(sum[:8])+".lock"))
		if err != nil {
			ls.unlock()
			return nil, fmt.Errorf("locking %s: %w", ref, err)
		}
		ls = append(ls, f)
	}
	return ls, nil
}

// lockFile locks a file that whoever unlocks it also removes: after locking,
// the path must still mean the locked file.
func lockFile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, syscall.EWOULDBLOCK) {
				return nil, errBusy
			}
			return nil, err
		}
		if same(f, path) {
			return f, nil
		}
		_ = f.Close()
	}
}

func same(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// unlock removes the lock files and lets go of them.
func (ls locks) unlock() {
	for _, f := range ls {
		_ = os.Remove(f.Name())
		_ = f.Close()
	}
}

// sweepLocks removes the lock files of processes that died.
func sweepLocks() {
	files, _ := filepath.Glob(filepath.Join(HoldsDir(), "*.lock"))
	for _, path := range files {
		if f, err := lockFile(path); err == nil {
			locks{f}.unlock()
		}
	}
}

// claim locks the plan's containers. It returns *HeldError where another
// amber holds one of them by the same method, or is just about to.
func claim(ctx context.Context, p Plan) (locks, error) {
	deadline := time.Now().Add(lockWait)
	for {
		ls, lockErr := lockRefs(p.Refs)
		if lockErr != nil && !errors.Is(lockErr, errBusy) {
			return nil, lockErr
		}
		h, held, err := heldBy(p)
		switch {
		case err != nil || held:
			ls.unlock()
			if err == nil {
				err = &HeldError{Hold: h}
			}
			return nil, err
		case lockErr == nil:
			return ls, nil
		case time.Now().After(deadline):
			return nil, &HeldError{Hold: Hold{Plan: Plan{Method: p.Method, Refs: p.Refs}}}
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock on %s: %w", strings.Join(p.Refs, ", "), ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}
