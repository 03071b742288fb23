package casedir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"amber/evidence/custody"
)

// Journals and Timeline are what Files takes: the parts of a case that are no
// bundles, and so have no seal of their own. The custody log's entries keep
// their digests.
var (
	Journals = []string{"journal/*.jsonl"}
	Timeline = []string{"timeline/manifest.json", "timeline/detect/*.json", "timeline/detect/*.hits", "timeline/detect/*.rules"}
)

// Files gives the files of the case that match, as they are now, for an entry of
// the custody log. Patterns are below the case's directory.
func (c *Case) Files(patterns ...string) ([]custody.File, error) {
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, fmt.Errorf("hashing the case's files: %w", err)
	}
	defer root.Close()
	var files []custody.File
	for _, pattern := range patterns {
		names, err := fs.Glob(root.FS(), pattern)
		if err != nil {
			return nil, fmt.Errorf("hashing the case's files: %w", err)
		}
		for _, name := range names {
			f, err := hashOf(root, name, -1)
			if errors.Is(err, fs.ErrNotExist) { // swept meanwhile
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("hashing the case's files: %w", err)
			}
			files = append(files, f)
		}
	}
	return files, nil
}

// CheckFile tells whether a file of the case is still what an entry says: nil,
// or in which way it is not. One that only grows (*.jsonl) may have grown.
func (c *Case) CheckFile(was custody.File) error {
	if !fs.ValidPath(was.Path) || was.Size < unknownSize {
		return fmt.Errorf("%q is no file of a case", was.Path)
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	limit := int64(-1)
	if Grows(was.Path) {
		limit = was.Size
	}
	now, err := hashOf(root, was.Path, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("is gone")
	case err != nil:
		return err
	case now.Size < was.Size:
		return fmt.Errorf("was cut: it has %d bytes and had %d", now.Size, was.Size)
	case was.Size == unknownSize && now.SHA256 == was.SHA256:
	case now != was:
		return errors.New("was changed: it has another SHA-256")
	}
	return nil
}

// unknownSize is that of case.json, of which entries have the digest alone.
const unknownSize = -1

// Grows tells whether a file of a case is only ever appended to. What a merge
// took in is kept as it was.
func Grows(name string) bool {
	return path.Ext(name) == ".jsonl" && !strings.HasPrefix(name, "cases/")
}

// hashOf hashes a regular file, or its first limit bytes where that is not -1.
func hashOf(root *os.Root, name string, limit int64) (custody.File, error) {
	if info, err := root.Lstat(filepath.FromSlash(name)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return custody.File{}, fmt.Errorf("is a symbolic link: it is not followed")
	}
	f, err := root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return custody.File{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return custody.File{}, errors.Join(fmt.Errorf("%s is no regular file", name), err)
	}
	h := sha256.New()
	r := io.Reader(f)
	if limit >= 0 {
		r = io.LimitReader(f, limit)
	}
	n, err := io.Copy(h, r)
	return custody.File{Path: name, Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

// sealFiles are the files of a bundle's seal, for an entry of what has written
// them: SHA256SUMS does not list them, and one that is taken away would not be
// missed where others are left.
func (c *Case) sealFiles(e custody.Entry) []custody.File {
	if e.Evidence == nil || !slices.Contains([]string{"seal", "import", "sign", "stamp"}, e.Action) {
		return nil
	}
	if id := e.Evidence.ID; !fs.ValidPath(id) || strings.ContainsAny(id, `/*?[\`) {
		return nil
	}
	files, err := c.Files(sealOf(e.Evidence.ID) + "*")
	if err != nil {
		return nil // the act is entered all the same
	}
	return files
}

func sealOf(id string) string { return "evidence/" + id + "/seal/" }

// Known is what a custody log knows of the case's files: the last that it says
// of each.
type Known struct {
	Files map[string]custody.File
	Entry map[string]int64 // the entry that says so
	// Open are begun acts without their end, by action: what they change is not
	// in the log.
	Open map[string]int64
}

// Begun is the result of an entry that is made before an act, so that one that
// was cut off is told from a change.
const Begun = "begun"

// KnownFiles reads what the case's own log says of its files. A file of the
// timeline that an entry's act may have removed, having listed all of its kind,
// is known no more; one of a seal is until it is given up.
func (c *Case) KnownFiles() Known {
	k := Known{Files: map[string]custody.File{}, Entry: map[string]int64{}, Open: map[string]int64{}}
	for e, err := range custody.Entries(c.CustodyPath()) {
		if err != nil {
			continue
		}
		k.take(e)
	}
	return k
}

func (k *Known) take(e custody.Entry) {
	if sum, ok := strings.CutPrefix(e.After, "sha256:"); ok && e.Action == custody.ActionAddSigner {
		k.Files[infoFile], k.Entry[infoFile] = custody.File{Path: infoFile, Size: unknownSize, SHA256: sum}, e.Sequence
	}
	if e.Result == Begun {
		k.Open[e.Action] = e.Sequence
		return
	}
	k.giveUp(e)
	if len(e.Files) == 0 {
		return
	}
	if slices.ContainsFunc(e.Files, func(f custody.File) bool { return inTimeline(f.Path) }) {
		clear(k.Open)
		k.forget("timeline/")
	}
	for _, f := range e.Files {
		if isSeal(f.Path) {
			k.takeSeal(f, e.Sequence)
			continue
		}
		k.Files[f.Path], k.Entry[f.Path] = f, e.Sequence
	}
}

// forget forgets what is listed as a whole, and was listed anew.
func (k *Known) forget(dir string) {
	for name := range k.Files {
		if strings.HasPrefix(name, dir) {
			delete(k.Files, name)
			delete(k.Entry, name)
		}
	}
}

// Begun gives the entry of an act that was begun, and whose end is not in the
// log, which writes the file; 0 for none.
func (k Known) Begun(name string) (entry int64) {
	if !inTimeline(name) {
		return 0
	}
	for _, at := range k.Open {
		entry = max(entry, at)
	}
	return entry
}

func inTimeline(name string) bool { return strings.HasPrefix(name, "timeline/") }
