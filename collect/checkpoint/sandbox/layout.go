package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"amber/container"
	"amber/evidence"
	"amber/evidence/record"
)

const (
	upperPath = "filesystem/upper"
	rootPath  = "filesystem/root"
	maxJSON   = 8 << 20
)

// recorded is what a bundle tells of its container.
type recorded struct {
	b    *evidence.Bundle
	full bool // it has the merged root
	up   bool // it has the writable layer
	c    struct {
		Image container.Image `json:"image"`
	}
	spec specs.Spec
}

// layOut writes the recorded file system below ord.Dir/lower.
func layOut(ctx context.Context, b *evidence.Bundle, o Options, ord *order, r *Report) error {
	rec := &recorded{b: b}
	if err := rec.read(r); err != nil {
		return err
	}
	lower := filepath.Join(ord.Dir, "lower")
	if err := os.Mkdir(lower, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(lower)
	if err != nil {
		return err
	}
	defer root.Close()
	t := &tree{root: root, laid: &r.Laid}
	if r.UserNamespace {
		t.base = firstID
	}
	if err := os.Chown(lower, t.base, t.base); err != nil {
		return err
	}
	if err := rec.image(ctx, t, o, r); err != nil {
		return err
	}
	if err := rec.members(ctx, t); err != nil {
		return err
	}
	ord.Process = processOf(&rec.spec)
	return nil
}

// read looks for what is there.
func (rec *recorded) read(r *Report) error {
	for path, into := range map[string]any{"metadata/container.json": &rec.c, "metadata/spec.json": &rec.spec} {
		missing, err := readMember(rec.b, path, into)
		if err != nil {
			return err // damaged: nothing of it is believed
		}
		if missing != "" {
			r.Missing = append(r.Missing, missing)
		}
	}
	var err error
	if rec.full, err = has(rec.b, rootPath); err != nil {
		return err
	}
	if rec.up, err = has(rec.b, upperPath); err != nil {
		return err
	}
	if !rec.full && !rec.up {
		r.Missing = append(r.Missing, "what the container changed: the bundle has neither "+upperPath+" nor "+rootPath)
	}
	return nil
}

func has(b *evidence.Bundle, path string) (bool, error) {
	m, err := b.Lookup(path)
	if errors.Is(err, evidence.ErrNotFound) {
		return false, nil
	}
	return err == nil && m.Type == record.Dir, err
}

// readMember reads a document, or says why there is none.
func readMember(b *evidence.Bundle, path string, into any) (missing string, err error) {
	m, err := b.Lookup(path)
	if errors.Is(err, evidence.ErrNotFound) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	if m.Type != record.File {
		return path + ": " + m.Reason, nil
	}
	body, err := b.Content(m)
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.LimitReader(body, maxJSON))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Sprintf("%s: %v", path, err), nil
	}
	return "", nil
}

// members lays the bundle's own part over the image: the merged root, or the
// writable layer.
func (rec *recorded) members(ctx context.Context, t *tree) error {
	prefix := upperPath
	if rec.full {
		prefix = rootPath
	}
	for m, err := range rec.b.Members() {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		name, ok := strings.CutPrefix(m.Path, prefix+"/")
		if !ok {
			continue
		}
		if err := rec.member(t, m, name, prefix+"/"); err != nil {
			return fmt.Errorf("laying out %q: %w", m.Path, err)
		}
	}
	return nil
}

func (rec *recorded) member(t *tree, m *record.Member, name, prefix string) error {
	switch {
	case m.Type == record.Miss:
		t.laid.leave(name, m.Reason)
		return nil
	case !rec.full && whiteout(m):
		if !valid(name) {
			return nil
		}
		return t.remove(name)
	case overlaid(m, "metacopy") || overlaid(m, "redirect"):
		t.laid.leave(name, "overlayfs keeps a part of it elsewhere (metacopy, redirect)")
	}
	o := &object{path: name, mode: m.Mode, uid: m.UID, gid: m.GID, link: m.Link, size: m.Size, stored: m.Stored()}
	o.kind = kinds[m.Type]
	if m.Type == record.Hardlink {
		o.hard, o.link = true, strings.TrimPrefix(m.Link, prefix)
	}
	if m.Type != record.File {
		if err := t.put(o); err != nil || !overlaid(m, "opaque") || rec.full {
			return err
		}
		return t.empty(name)
	}
	body, err := rec.b.Content(m)
	if err != nil {
		return err
	}
	v := &verified{r: body, sum: sha256.New()}
	o.body = v
	if err := t.put(o); err != nil {
		return err
	}
	return v.check(m)
}

var kinds = map[record.Type]fs.FileMode{
	record.Dir: fs.ModeDir, record.Symlink: fs.ModeSymlink, record.FIFO: fs.ModeNamedPipe, record.SocketFile: fs.ModeSocket,
	record.CharDev: fs.ModeDevice | fs.ModeCharDevice, record.BlockDev: fs.ModeDevice,
}

func whiteout(m *record.Member) bool {
	return m.Type == record.CharDev && m.DevMajor == 0 && m.DevMinor == 0 || m.Type == record.File && overlaid(m, "whiteout")
}

func overlaid(m *record.Member, name string) bool {
	for _, x := range m.Xattrs {
		if x.Name == "trusted.overlay."+name || x.Name == "user.overlay."+name {
			return true
		}
	}
	return false
}

// verified hashes what is read.
type verified struct {
	r   io.Reader
	sum hash.Hash
	n   int64
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.sum.Write(p[:n])
	v.n += int64(n)
	return n, err
}

// check compares with what was sealed. A file with more than 1 GiB of holes has a
// digest of its extents alone; its frames were checked as they were read.
func (v *verified) check(m *record.Member) error {
	if m.HashExtents || v.n != m.Size {
		return nil // or it was left out, and counted
	}
	if [32]byte(v.sum.Sum(nil)) != m.SHA256 {
		return errors.New("its SHA-256 is not the one that it was sealed with: nothing is run")
	}
	return nil
}
