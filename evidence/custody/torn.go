package custody

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"

	"amber/evidence/durable"
)

// tornMark parts the log's name from the digest of the bytes kept aside.
const tornMark = ".torn-"

// heal moves what a crash left of a line into an entry, under the lock. The
// bytes are always on the disk somewhere: in a file beside the log before the
// log is cut, and in the log before that file goes. After a crash in between,
// the next heal goes on from the file.
func (l *Log) heal(like Entry, signer ssh.Signer) error {
	t, err := l.tail()
	if err != nil {
		return err
	}
	if t.torn != nil {
		if err := l.putAside(t); err != nil {
			return fmt.Errorf("putting a torn line aside: %w", err)
		}
	}
	aside, err := filepath.Glob(quoteGlob(l.path) + tornMark + "*")
	if err != nil {
		return err
	}
	for _, path := range aside {
		if filepath.Ext(path) == ".tmp" {
			continue // a crash while it was written: the log still has the bytes
		}
		if err := l.keep(path, like, signer); err != nil {
			return fmt.Errorf("entering a torn line: %w", err)
		}
	}
	return nil
}

func (l *Log) putAside(t tail) error {
	if len(t.torn) > maxLine/2 {
		return errLong
	}
	if err := durable.WriteFile(l.path+tornMark+hashLine(t.torn)[:16], t.torn); err != nil {
		return err
	}
	durable.Point("before truncate " + filepath.Base(l.path))
	err := l.file.Truncate(t.size)
	durable.Point("after truncate " + filepath.Base(l.path))
	if err != nil {
		return err
	}
	return l.file.Sync()
}

// keep enters the bytes kept at path, unless they are entered, and removes it.
func (l *Log) keep(path string, like Entry, signer ssh.Signer) error {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	entered, err := l.holdsTorn(data)
	if err != nil {
		return err
	}
	if !entered {
		like.Action, like.Result, like.Reason = ActionTorn, "kept", "a crash cut this line short"
		like.Evidence, like.Errors, like.Alterations, like.Before, like.After = nil, nil, nil, "", ""
		like.Counterparty, like.Authority, like.Previous = "", "", ""
		like.Files, like.GivenUp, like.Joined, like.Stamped, like.Seen = nil, nil, nil, nil, nil
		like.Torn = &Torn{Bytes: data, SHA256: hashLine(data), Size: len(data)}
		if _, _, err := l.append(like, signer); err != nil {
			return err
		}
	}
	return durable.Remove(path)
}

// holdsTorn looks through the whole log: it is asked only after a crash.
func (l *Log) holdsTorn(data []byte) (bool, error) {
	want := []byte(`"sha256":"` + hashLine(data) + `","size":`)
	for t, err := range lines(l.path) {
		if err != nil {
			return false, err
		}
		if e, err := decode(t.bytes); err == nil && e.Torn != nil && bytes.Contains(t.bytes, want) && slices.Equal(e.Torn.Bytes, data) {
			return true, nil
		}
	}
	return false, nil
}

func (l *Log) syncDir() error { return durable.SyncDir(filepath.Dir(l.path)) }

func quoteGlob(path string) string {
	var b []byte
	for i := range len(path) {
		if bytes.IndexByte([]byte(`*?[\`), path[i]) >= 0 {
			b = append(b, '\\')
		}
		b = append(b, path[i])
	}
	return string(b)
}
