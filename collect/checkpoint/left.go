package checkpoint

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"amber/container"
)

const (
	spoolPrefix = "amber-checkpoint-"
	noteName    = "amber.json" // in a spool: whose it is, locked while its amber runs
	maxNote     = 1 << 20
)

// note is what a spool directory says of itself.
type note struct {
	Container string    `json:"container"`
	Began     time.Time `json:"began"`
	Makes     []string  `json:"makes"`  // patterns of what is made in the runtimes' own folders meanwhile
	Before    []string  `json:"before"` // what fitted them already
}

// keepNote writes it; the lock goes with the file, or with amber.
func keepNote(spool string, c container.Container) (*os.File, error) {
	n := note{Container: c.Ref(), Began: time.Now().UTC(), Makes: makes(c)}
	n.Before = matches(n.Makes)
	data, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(spool, noteName), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil { // another may just be looking at it
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Write(data); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// makes are patterns of the files that the kubelet, and the shims of containerd and
// Docker, make in their own folders for a checkpoint of a container.
func makes(c container.Container) (patterns []string) {
	if dir := container.Bundle(c.PID, c.Namespace, c.ID, "/run/containerd", "/run/docker/containerd/daemon"); dir != "" {
		patterns = append(patterns, filepath.Join(literal(dir), "criu-dump.log"))
	}
	if root := kubeletRoot(c.Spec); root != "" && c.Pod != nil {
		name := "checkpoint-" + c.Pod.Name + "_" + c.Pod.Namespace + "-" + c.Pod.Container + "-"
		patterns = append(patterns, filepath.Join(literal(root), "checkpoints", literal(filepath.Base(name))+"*.tar"))
	}
	return patterns
}

func literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// kubeletRoot is the kubelet's directory, from which it mounts a file of its own
// into each of its containers.
func kubeletRoot(s *specs.Spec) string {
	if s == nil {
		return ""
	}
	for _, m := range s.Mounts {
		if root, _, ok := strings.Cut(m.Source, "/pods/"); ok && m.Destination == "/etc/hosts" && filepath.IsAbs(root) {
			return root
		}
	}
	return ""
}

func matches(patterns []string) (found []string) {
	for _, p := range patterns {
		list, _ := filepath.Glob(p)
		found = append(found, list...)
	}
	return found
}

// Left is what an amber that was killed has left of a checkpoint.
type Left struct {
	Spool     string    `json:"spool"`
	Container string    `json:"container"`
	Began     time.Time `json:"began"`
	Bytes     int64     `json:"bytes"`
	Removed   bool      `json:"removed"`         // it was of no use: the dump had not come to its end
	Runtimes  []string  `json:"made,omitempty"`  // in the runtimes' own folders, and still there
	Error     string    `json:"error,omitempty"` // why it is not removed
}

// Leftovers looks into directories of spools for those whose amber is gone. What
// CRIU did not finish, and does not work on any more, is removed; all else is
// named: it may be the only copy of what it is.
func Leftovers(dirs ...string) (list []Left) {
	dirs = slices.DeleteFunc(dirs, func(d string) bool { return d == "" })
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), spoolPrefix) || !own(e) {
				continue
			}
			if l, ok := leftIn(filepath.Join(dir, e.Name())); ok {
				list = append(list, l)
			}
		}
	}
	return list
}

// own says whether a directory is this user's, and not one that was just made.
func own(e fs.DirEntry) bool {
	info, err := e.Info()
	if err != nil || !info.IsDir() {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid() && time.Since(info.ModTime()) > freshSpool
}

// freshSpool is how long a spool may take to have its note.
const freshSpool = 2 * time.Second

// leftIn looks at one spool; not ok where somebody works with it.
func leftIn(spool string) (l Left, ok bool) {
	l = Left{Spool: spool}
	n, ours, held := readNote(spool)
	if held || len(strays(spool)) > 0 {
		return l, false
	}
	l.Container, l.Began = n.Container, n.Began
	for _, path := range matches(n.Makes) {
		if !slices.Contains(n.Before, path) {
			l.Runtimes = append(l.Runtimes, path)
		}
	}
	whole := !ours // who knows whose it is
	_ = filepath.WalkDir(spool, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // what cannot be seen is not counted
		}
		if info, err := d.Info(); err == nil {
			l.Bytes += info.Size()
		}
		whole = whole || d.Name() == "inventory.img"
		return nil
	})
	if !whole {
		if err := os.RemoveAll(spool); err != nil {
			l.Error = err.Error()
			return l, true
		}
		l.Removed = true
	}
	return l, true
}

// readNote reads what a spool says; held where its amber is there still. One
// without a note is not amber's, or of an amber that wrote none.
func readNote(spool string) (n note, ours, held bool) {
	f, size, err := openPlain(filepath.Join(spool, noteName))
	if err != nil {
		return n, false, false
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return n, true, true
	}
	data := make([]byte, min(size, maxNote))
	if _, err := f.ReadAt(data, 0); err != nil || json.Unmarshal(data, &n) != nil {
		return note{}, false, false
	}
	return n, true, false
}
