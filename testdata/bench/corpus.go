package main

import (
	"archive/tar"
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"amber/testdata/testbed"
)

const gib = 1 << 30

// contents is what the image of 1 GiB holds.
type contents struct {
	files, links, dirs int
	bytes              int64
}

// corpusFile is a file of this machine's /usr.
type corpusFile struct {
	path string
	size int64
	link string
	rank uint64
}

// largest is the size in bytes of a file that is still taken: no single one
// makes the mix.
const largest = 64 << 20

// corpus lists the files and links of /usr in an order that is random and
// always the same, so that any first part of it is a fair mix of all.
func corpus() ([]corpusFile, error) {
	var list []corpusFile
	err := filepath.WalkDir("/usr", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // what cannot be read is not taken
		}
		f := corpusFile{path: path, rank: rank(path)}
		switch d.Type() {
		case 0:
			info, err := d.Info()
			if err != nil || info.Size() > largest {
				return nil
			}
			f.size = info.Size()
		case fs.ModeSymlink:
			if f.link, err = os.Readlink(path); err != nil {
				return nil
			}
		default:
			return nil
		}
		list = append(list, f)
		return nil
	})
	slices.SortFunc(list, func(a, b corpusFile) int { return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.path, b.path)) })
	return list, err
}

func rank(path string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, path)
	return h.Sum64()
}

// bigImage makes the image with 1 GiB of files below /usr-copy, once.
func (b *bench) bigImage() (string, error) {
	if b.image != "" {
		return b.image, nil
	}
	const ref = "amber.test/gibibyte:latest"
	if err := b.bed.MakeImage(ref, b.contents.layer); err != nil {
		return "", err
	}
	b.image = ref
	b.notes = append(b.notes, fmt.Sprintf("image: %d files (%s), %d symbolic links, %d directories, out of this machine's /usr",
		b.contents.files, mib(b.contents.bytes), b.contents.links, b.contents.dirs))
	return ref, nil
}

// layer writes files of /usr until it has 1 GiB, from the beginning again
// where there is less than that.
func (c *contents) layer(tw *tar.Writer) error {
	list, err := corpus()
	if err != nil || len(list) == 0 {
		return fmt.Errorf("listing /usr: %w", err)
	}
	for round := 0; c.bytes < gib; round++ {
		before, dirs := c.bytes, map[string]bool{}
		for _, f := range list {
			if c.bytes >= gib {
				break
			}
			name := "usr-copy/" + strconv.Itoa(round) + f.path
			c.countDirs(filepath.Dir(name), dirs)
			if err := c.add(tw, name, f); err != nil {
				return err
			}
		}
		if c.bytes == before {
			return fmt.Errorf("/usr holds nothing to fill an image with")
		}
	}
	return nil
}

func (c *contents) countDirs(dir string, seen map[string]bool) {
	for ; dir != "." && !seen[dir]; dir = filepath.Dir(dir) {
		seen[dir] = true
		c.dirs++
	}
}

func (c *contents) add(tw *tar.Writer, name string, f corpusFile) error {
	h := &tar.Header{Name: name, Mode: 0o644, ModTime: time.Unix(1767323045, 0), Typeflag: tar.TypeReg}
	if f.link != "" {
		h.Typeflag, h.Linkname = tar.TypeSymlink, f.link
		c.links++
		return tw.WriteHeader(h)
	}
	in, err := os.Open(f.path)
	if err != nil {
		return nil // gone since it was listed
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	h.Size, h.Mode = info.Size(), int64(info.Mode().Perm())
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	c.files++
	c.bytes += h.Size
	_, err = io.CopyN(tw, in, h.Size)
	return err
}

// change makes 5 MiB of changes in a container of the image: 20 files that are
// new, and as many bytes of the image's own files written again.
func (b *bench) change(r testbed.Running) error {
	const each, half = 128 << 10, 5 << 19
	data := make([]byte, each)
	if err := fill(data); err != nil {
		return err
	}
	dir := filepath.Join(root(r), "srv", "dropped")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range half / each {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%02d", i)), data, 0o644); err != nil {
			return err
		}
	}
	return touchImage(filepath.Join(root(r), "usr-copy"), half)
}

// touchImage opens files of the image for appending, a byte each, until as
// many bytes as half are copied up.
func touchImage(dir string, half int64) error {
	copied := int64(0)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Size() < 4<<10 || info.Size() > 256<<10 {
			return err
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("#")
		if copied += info.Size(); err == nil && copied >= half {
			err = fs.SkipAll
		}
		if cerr := f.Close(); cerr != nil {
			return cerr
		}
		return err
	})
}

// fill fills data with the beginning of a program.
func fill(data []byte) error {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.ReadFull(f, data)
	return err
}
