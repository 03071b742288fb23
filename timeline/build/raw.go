package build

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"amber/evidence"
	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/store"
)

// ErrChanged says that a raw file is not any more what the timeline was built
// from: its rows are not proved.
var ErrChanged = errors.New("the raw file is not what the timeline was built from")

// maxRaw bounds what is shown for one row.
const maxRaw = 256 << 20

// Raw opens the records of a timeline's rows: it hashes the whole raw file,
// compares its digest, and reads the ranges from the same open file. Each
// record ends with a newline. A file that was found good is hashed again only
// when its size or its time has changed. The keyring opens what is of an
// encrypted bundle.
func Raw(dir string, ring ...*encrypt.Keyring) store.Raw {
	p := &prover{dir: dir, good: map[[32]byte]seen{}, keys: ring}
	return p.open
}

type prover struct {
	dir  string
	keys []*encrypt.Keyring
	mu   sync.Mutex
	good map[[32]byte]seen
}

// seen is a file as it was when it was hashed.
type seen struct {
	size    int64
	changed time.Time
}

func (p *prover) open(ctx context.Context, refs []timeline.RawRef, files []store.File) (io.ReadCloser, error) {
	var out bytes.Buffer
	for _, ref := range refs {
		if ref.File < 0 || int(ref.File) >= len(files) {
			return nil, fmt.Errorf("a raw file %d of %d", ref.File, len(files))
		}
		if err := p.records(ctx, &out, files[ref.File], ref.Ranges); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&out), nil
}

func (p *prover) records(ctx context.Context, out *bytes.Buffer, file store.File, ranges []timeline.Range) error {
	path := file.Path
	if file.Kept {
		path = filepath.Join(p.dir, rawDir, hex.EncodeToString(file.Digest[:]))
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("opening a raw file: %w", err)
	}
	defer f.Close()
	if err := p.verify(ctx, f, file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, r := range ranges {
		stored, err := evidence.Decrypted(path, io.NewSectionReader(f, 0, file.Size), p.keys...)
		if err == nil {
			err = extract(out, stored, r)
		}
		if err != nil {
			return fmt.Errorf("reading %d bytes at %d of %s: %w", r.Length, r.Offset, path, err)
		}
	}
	return nil
}

func (p *prover) verify(ctx context.Context, f *os.File, file store.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Size() < file.Size {
		return ErrChanged
	}
	now := seen{info.Size(), info.ModTime()}
	p.mu.Lock()
	known := p.good[file.Digest] == now
	p.mu.Unlock()
	if known {
		return nil
	}
	digest, err := digestOf(ctx, io.NewSectionReader(f, 0, file.Size))
	if err != nil {
		return err
	}
	if digest != file.Digest {
		return ErrChanged
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.good[file.Digest] = now
	return nil
}

// extract copies a range of the decompressed file.
func extract(out *bytes.Buffer, stored io.Reader, r timeline.Range) error {
	if r.Length < 0 || r.Offset < 0 || int64(out.Len())+r.Length > maxRaw {
		return fmt.Errorf("more than %d bytes", maxRaw)
	}
	s, err := framing.Decompress(stored, framing.Limits{})
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := io.CopyN(io.Discard, s, r.Offset); err != nil {
		return err
	}
	if _, err := io.CopyN(out, s, r.Length); err != nil {
		return err
	}
	return out.WriteByte('\n')
}
