package casedir

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"amber/evidence/canon"
	"amber/evidence/durable"
)

// Format is the version of case.json that this package writes. A reader refuses
// a higher one and ignores fields that it does not know.
const Format = 1

// Info is case.json.
type Info struct {
	Format  int       `json:"format"`
	ID      string    `json:"id"` // sortable: 20261122T033000Z-k3f7qa
	Created time.Time `json:"created"`
	Title   string    `json:"title,omitempty"`
	Signers []string  `json:"signers,omitempty"` // allowed_signers lines
}

func newInfo(title string) Info {
	now := time.Now().UTC().Truncate(time.Second)
	return Info{
		Format:  Format,
		ID:      now.Format("20060102T150405Z") + "-" + strings.ToLower(rand.Text()[:6]),
		Created: now,
		Title:   strings.ToValidUTF8(title, "\ufffd"),
	}
}

// idForm is 20261122T033000Z-k3f7qa. It is compiled when it is needed: nothing
// is to come between the start of the process and the freeze.
var idForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z0-9]{6}$`) })

func readInfo(dir string) (Info, error) {
	var info Info
	data, err := readFile(filepath.Join(dir, infoFile))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return info, fmt.Errorf("%w: it has no %s", ErrNoCase, infoFile)
	}
	if err != nil {
		return info, err
	}
	if err := json.Unmarshal(data, &info); err != nil {
		return info, fmt.Errorf("reading %s: %w", infoFile, err)
	}
	switch {
	case info.Format > Format:
		return info, fmt.Errorf("reading %s: format %d is of a newer amber; this one knows %d", infoFile, info.Format, Format)
	case info.Format < 1 || !idForm().MatchString(info.ID):
		return info, fmt.Errorf("reading %s: not the description of a case", infoFile)
	}
	return info, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a file", path), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxInfo+1))
	if err == nil && len(data) > maxInfo {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxInfo)
	}
	return data, err
}

func (c *Case) writeInfo(later *durable.Batch) error {
	text, err := canon.Marshal(c.info)
	if err != nil {
		return err
	}
	return later.WriteFile(filepath.Join(c.dir, infoFile), append(text, '\n'))
}
