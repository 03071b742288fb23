// Package casedir keeps a case: the directory that holds one incident.
//
//	case.json       what the case is, and who may sign in it
//	custody.jsonl   who did what to it
//	journal/        what isolation changed, and how to undo it
//	evidence/ID/    the bundles
//	lock            names the one process that may write here
package casedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/evidence/keys"
)

const (
	infoFile   = "case.json"
	lockFile   = "lock"
	custodyLog = "custody.jsonl"
	maxInfo    = 1 << 20
)

// ErrNoCase says that a directory holds no case.
var ErrNoCase = errors.New("no case")

// Case is an open case. Log may be called from several goroutines; set Tool and
// Signer before the first call.
type Case struct {
	Tool   custody.Tool // what the custody log says of this program
	Signer ssh.Signer   // signs the custody log; nil leaves lines awaiting
	// Looking is that nothing but looks are entered: these are not signed with a
	// key that is none of the case's, which would make its log one of strangers.
	Looking bool
	LogDir  string // where Log writes, and not into the case; empty: the case, or where that cannot be written beside it, or the user's state

	dir  string
	info Info
	held *lock // nil where the case is open for reading

	mu  sync.Mutex
	log *custody.Log
	// beside is the head of the case's own log where that cannot be written.
	beside *custody.Anchor
}

// Create makes a case in dir, which must be absent or empty, and opens it for
// writing. An empty dir stands for amber-case-ID under the current directory.
// Nothing here waits for a key. The case is on the disk when later is synced; at
// once where that is nil.
func Create(dir, title string, later *durable.Batch) (*Case, error) {
	info := newInfo(title)
	if dir == "" {
		dir = "amber-case-" + info.ID
	}
	c, err := create(dir, info, later)
	if err != nil {
		return nil, fmt.Errorf("making a case in %s: %w", dir, err)
	}
	return c, nil
}

func create(dir string, info Info, later *durable.Batch) (*Case, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := later.MkdirAll(dir); err != nil {
		return nil, err
	}
	if err := checkEmpty(dir); err != nil {
		return nil, err
	}
	held, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	c := &Case{dir: dir, info: info, held: held}
	if err := checkEmpty(dir); err != nil { // another may have been first
		return nil, errors.Join(err, c.Close())
	}
	if err := c.writeInfo(later); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// checkEmpty lets pass what a crash inside create may have left.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Name() {
		case lockFile, infoFile + ".tmp":
		case infoFile:
			return fmt.Errorf("it holds a case already: %w", fs.ErrExist)
		default:
			return fmt.Errorf("the directory is not empty: %w", fs.ErrExist)
		}
	}
	return nil
}

// Open opens the case in dir for writing. Another process that has it so gives
// *LockedError, no case there ErrNoCase.
func Open(dir string) (*Case, error) {
	c, err := OpenRead(dir)
	if err != nil {
		return nil, err
	}
	if c.held, err = takeLock(c.dir); err != nil {
		return nil, fmt.Errorf("opening the case %s: %w", c.dir, err)
	}
	if c.info, err = readInfo(c.dir); err != nil { // it may have changed until the lock was ours
		return nil, errors.Join(fmt.Errorf("opening the case %s: %w", c.dir, err), c.Close())
	}
	return c, nil
}

// OpenRead opens the case in dir for reading. It takes no lock and works on
// read-only media; Log still works, for every look into evidence is an entry.
func OpenRead(dir string) (*Case, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := checkLinks(dir); err != nil {
		return nil, fmt.Errorf("opening the case %s: %w", dir, err)
	}
	info, err := readInfo(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the case %s: %w", dir, err)
	}
	return &Case{dir: dir, info: info}, nil
}

// OpenOrCreate opens the case in dir for writing and makes it, as Create does,
// where it is absent.
func OpenOrCreate(dir, title string, later *durable.Batch) (c *Case, created bool, err error) {
	if dir != "" {
		c, err = Open(dir)
		if !errors.Is(err, ErrNoCase) {
			return c, false, err
		}
	}
	c, err = Create(dir, title, later)
	return c, err == nil, err
}

// Writable tells whether this process holds the case's lock.
func (c *Case) Writable() bool { return c.held != nil }

// Dir is the case's directory, absolute.
func (c *Case) Dir() string { return c.dir }

// Info is what case.json says.
func (c *Case) Info() Info { return c.info }

// JournalDir is where isolation keeps its journals. It may not exist yet.
func (c *Case) JournalDir() string { return filepath.Join(c.dir, "journal") }

// EvidenceDir is where the bundle id lies, or will. An id that is not one plain
// file name is refused.
func (c *Case) EvidenceDir(id string) (string, error) {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/\x00") {
		return "", fmt.Errorf("evidence id %q: want a plain name", id)
	}
	return filepath.Join(c.dir, "evidence", id), nil
}

// Signers are those who may sign in this case.
func (c *Case) Signers() (*keys.Signers, error) {
	s, err := keys.ParseSigners([]byte(strings.Join(c.info.Signers, "\n")))
	if err != nil {
		return nil, fmt.Errorf("reading the signers of the case %s: %w", c.dir, err)
	}
	return s, nil
}

// Abandon closes a case that Create has just made, and takes it away again with
// all that is in it.
func (c *Case) Abandon() error {
	err := c.Close()
	if rmErr := os.RemoveAll(c.dir); rmErr != nil {
		err = errors.Join(err, fmt.Errorf("taking back the case: %w", rmErr))
	}
	return err
}

// Close gives the lock back. It is not needed for a crash's sake: the lock dies
// with the process.
func (c *Case) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.log != nil {
		err, c.log = c.log.Close(), nil
	}
	if c.held != nil {
		err, c.held = errors.Join(err, c.held.release()), nil
	}
	return err
}
