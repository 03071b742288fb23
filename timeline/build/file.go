package build

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/store"
)

// file reads one regular file.
func (b *builder) file(ctx context.Context, path string, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		b.account.lose(path, timeline.Unreadable, err.Error())
		return nil
	}
	if info.Size() == 0 {
		b.account.empty()
		return nil
	}
	if b.store.HasSize(info.Size()) { // perhaps the very same: hash it first
		digest, err := digestOf(ctx, io.NewSectionReader(f, 0, info.Size()))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && b.store.Has(digest) {
			b.account.known()
			return nil
		}
	}
	a, err := b.acquire(io.NewSectionReader(f, 0, info.Size()), f)
	if err != nil {
		return fmt.Errorf("keeping %q: %w", path, err)
	}
	if err := b.read(ctx, a, path, store.File{Path: path, Kept: !b.Reference, Written: info.ModTime()}); err != nil {
		return err
	}
	if b.Reference {
		return b.unchanged(ctx, a, path, f, info)
	}
	return nil
}

// unchanged sees to it that what was parsed is what was hashed, where there is
// no copy: growth behind the end does no harm.
func (b *builder) unchanged(ctx context.Context, a *acquired, path string, f *os.File, before os.FileInfo) error {
	after, err := f.Stat()
	if err == nil && after.Size() == before.Size() && after.ModTime().Equal(before.ModTime()) {
		return nil
	}
	digest, err := digestOf(ctx, io.NewSectionReader(f, 0, a.n))
	if err != nil || digest != a.digest {
		return fmt.Errorf("%q was changed while it was read: keep it in the case instead of a reference", path)
	}
	return nil
}

func digestOf(ctx context.Context, r io.Reader) (digest [32]byte, err error) {
	sum := sha256.New()
	buf := make([]byte, chunk)
	for ctx.Err() == nil {
		n, err := r.Read(buf)
		sum.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			sum.Sum(digest[:0])
			return digest, nil
		}
		if err != nil {
			return digest, err
		}
	}
	return digest, ctx.Err()
}

// stream reads what can be read once. It is always kept.
func (b *builder) stream(ctx context.Context, path string, r io.Reader) error {
	a, err := b.acquire(r, nil)
	if err != nil {
		return fmt.Errorf("keeping what comes from %q: %w", path, err)
	}
	defer context.AfterFunc(ctx, a.stop)()
	return b.read(ctx, a, path, store.File{Path: path, Kept: true})
}

// read recognises a file, parses it while it arrives, and seals it.
func (b *builder) read(ctx context.Context, a *acquired, path string, f store.File) error {
	src, reason, err := b.recognise(a, path)
	if err != nil {
		return errors.Join(err, a.drop(b.dir))
	}
	if src == nil && reason.Reason == timeline.Empty {
		b.account.empty()
		return a.drop(b.dir)
	}
	if src == nil {
		b.account.lose(path, reason.Reason, reason.Detail)
		return a.drop(b.dir)
	}
	return b.readAs(ctx, a, src, f)
}

// readAs reads a file that a source recognised.
func (b *builder) readAs(ctx context.Context, a *acquired, src timeline.Source, f store.File) error {
	f.Source, f.Skew = src.Name(), b.Skew[src.Name()]
	src, f.Written = placed(src, f.Path, f.Written)
	number := b.store.File(f.Skew)
	sealed := make(chan error, 1)
	go func() { sealed <- b.seal(a, number, f) }()
	fed := b.feed(ctx, src, number, f.Path, a)
	if fed != nil {
		a.stop()
	}
	return errors.Join(fed, <-sealed, a.close())
}

// placed gives a source that needs it what is known of the file beside its
// bytes, and the time that has to be kept of it; a stream is written now.
func placed(src timeline.Source, path string, at time.Time) (timeline.Source, time.Time) {
	p, ok := src.(timeline.Placed)
	if !ok {
		return src, time.Time{}
	}
	if at.IsZero() {
		at = time.Now()
	}
	at = at.UTC().Truncate(time.Microsecond)
	return p.From(timeline.Place{Path: path, Written: timeline.Time{Micros: at.UnixMicro()}}), at
}

// seal tells the store what the file is as soon as it is taken in, which does
// not wait for its records.
func (b *builder) seal(a *acquired, number int32, f store.File) error {
	a.wait()
	var own copyError
	if errors.As(a.err, &own) || errors.Is(a.err, context.Canceled) {
		return fmt.Errorf("keeping %q: %w", f.Path, errors.Join(a.err, b.store.Abort()))
	}
	if err := a.keep(b.dir); err != nil {
		return fmt.Errorf("keeping %q: %w", f.Path, errors.Join(err, b.store.Abort()))
	}
	f.Digest, f.Size = a.digest, a.n
	b.store.Seal(number, f)
	return nil
}

// headSize is how much of a file is shown to Sniff.
const headSize = 64 << 10

// recognise asks all sources how sure they are of a file's beginning. Where
// none is, the rejection says why; an error is of the case's own disk.
func (b *builder) recognise(a *acquired, path string) (timeline.Source, *timeline.RejectError, error) {
	head, err := b.head(a)
	var own copyError
	if errors.As(err, &own) {
		return nil, nil, err
	}
	if b.as != nil && len(head) > 0 {
		return b.as, nil, nil
	}
	var best timeline.Source
	sure := 0
	for _, s := range b.Sources {
		if n := s.Sniff(head, path); n > sure {
			best, sure = s, n
		}
	}
	if best != nil {
		return best, nil, nil
	}
	return nil, unrecognised(head, err), nil
}

func unrecognised(head []byte, err error) *timeline.RejectError {
	var told *timeline.RejectError
	switch {
	case len(head) == 0 && (err == nil || errors.Is(err, io.EOF)):
		return &timeline.RejectError{Reason: timeline.Empty}
	case errors.As(err, &told):
		return told
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()}
	case framing.IsUTF16(head):
		return &timeline.RejectError{Reason: timeline.NotText, Detail: "UTF-16: convert it with iconv -t UTF-8"}
	}
	for _, c := range head {
		if c == 0 {
			return &timeline.RejectError{Reason: timeline.NotText, Detail: "binary"}
		}
	}
	return &timeline.RejectError{Reason: timeline.UnknownFormat, Detail: "no source recognises it; --as NAME or --map FILE reads it"}
}

// head is a file's decompressed beginning.
func (b *builder) head(a *acquired) ([]byte, error) {
	s, err := framing.Decompress(a.reader(), b.Limits)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(s, head)
	return head[:n], err
}

// digestOfBlob hashes the first bytes of a file below a directory.
func digestOfBlob(ctx context.Context, dir, name string, size int64) (digest [32]byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return digest, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if err != nil {
		return digest, err
	}
	defer f.Close()
	return digestOf(ctx, io.NewSectionReader(f, 0, size))
}
