package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"amber/evidence"
	"amber/evidence/record"
)

const (
	catMembers = 124_000
	catRuns    = 9
	catLimit   = 4 << 20
	catID      = "20260102T030405Z-gibibyte-bench0"
)

// catSizes are the sizes of members in turn; their mean makes 124,000 of them
// 1 GiB.
var catSizes = []int64{512, 1024, 2048, 4096, 4096, 8192, 16384, 32920}

func catPath(i int) string { return fmt.Sprintf("filesystem/root/%03d/file-%06d", i%500, i) }

// makeBundle writes the bundle of 1 GiB in 124,000 members to dir. It is run as
// a process of its own: see ownPeak.
func makeBundle(dir string) error {
	w, err := evidence.Create(dir, filepath.Base(dir), evidence.DefaultReserve)
	if err != nil {
		return err
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		return err
	}
	from, err := newCorpusReader()
	if err != nil {
		return err
	}
	defer from.close()
	for i := range catMembers {
		size := catSizes[i%len(catSizes)]
		m := &record.Member{Path: catPath(i), Type: record.File, Mode: 0o644, Links: 1, Size: size, Mtime: time.Unix(1767323045, 0)}
		if err := p.Add(m, io.LimitReader(from, size)); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	_, err = w.Seal(&record.Acquisition{Name: "bench", Target: []byte("null"), Start: time.Now().UTC(), End: time.Now().UTC()}, nil)
	return err
}

// corpusReader reads the files of the corpus one after the other, without end.
type corpusReader struct {
	list []corpusFile
	next int
	f    *os.File
}

func newCorpusReader() (*corpusReader, error) {
	list, err := corpus()
	if err == nil && len(list) == 0 {
		err = errors.New("/usr holds no files")
	}
	return &corpusReader{list: list}, err
}

func (r *corpusReader) Read(p []byte) (int, error) {
	for {
		if r.f == nil {
			f, err := os.Open(r.list[r.next%len(r.list)].path)
			r.next++
			if err != nil {
				continue // a link that leads nowhere
			}
			r.f = f
		}
		n, err := r.f.Read(p)
		if n > 0 {
			return n, nil
		}
		if err != nil { // its end, or a directory behind a link
			r.close()
		}
	}
}

func (r *corpusReader) close() {
	if r.f != nil {
		_ = r.f.Close()
		r.f = nil
	}
}

// cat reads members of 4 KiB out of a bundle of 1 GiB.
func (b *bench) cat() error {
	dir := b.newCase()
	if _, err := b.run(b.amber("case", "new", dir)); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if _, err := b.run(b.command(self, "-make-bundle", filepath.Join(dir, "evidence", catID))); err != nil {
		return err
	}
	var times []time.Duration
	most := int64(0)
	for i := range catRuns {
		s, err := b.catOne(dir, catMembers/catRuns*i/8*8+3)
		if err != nil {
			return err
		}
		times, most = append(times, s.Wall), max(most, s.Read)
	}
	rest, err := b.besideBundle(dir)
	if err != nil {
		return err
	}
	b.table.head("6. evidence cat of a member of 4 KiB, out of 1 GiB in 124,000 members")
	b.table.line(fmt.Sprintf("bytes read of the bundle, most of %d members spread over it", catRuns), mib(most-rest), "< 4 MiB, "+met(most-rest < catLimit))
	b.table.line("bytes read of all files (of amber itself: "+mib(rest)+")", mib(most), "")
	b.table.line("time, median", text(median(times)), "")
	return os.RemoveAll(dir)
}

// besideBundle is what amber reads besides a bundle's content, told by a bundle
// of one member: its own executable, the case, the key.
func (b *bench) besideBundle(dir string) (int64, error) {
	const id = "20260102T030405Z-empty-bench0"
	to := filepath.Join(dir, "evidence", id)
	w, err := evidence.Create(to, id, 0)
	if err != nil {
		return 0, err
	}
	p, err := w.Payload("filesystem")
	if err != nil {
		return 0, err
	}
	m := &record.Member{Path: catPath(0), Type: record.File, Mode: 0o644, Links: 1, Size: 1}
	if err := errors.Join(p.Add(m, strings.NewReader("x")), p.Close()); err != nil {
		return 0, err
	}
	if _, err := w.Seal(&record.Acquisition{Name: "bench", Target: []byte("null")}, nil); err != nil {
		return 0, err
	}
	s, err := b.run(b.amber("evidence", "cat", "--case", dir, id, catPath(0)))
	return s.Read, err
}

func (b *bench) catOne(dir string, i int) (spent, error) {
	s, err := b.run(b.amber("evidence", "cat", "--case", dir, catID, catPath(i)))
	if err == nil && (len(s.Out) != 4096 || bytes.Count(s.Out, []byte{0}) == 4096) {
		err = fmt.Errorf("cat of member %d gave %d bytes", i, len(s.Out))
	}
	if err == nil && s.Read == 0 {
		err = errors.New("the kernel does not tell what a process read")
	}
	return s, err
}
