package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"

	"amber/evidence/durable"
)

// Folder is where in a case fetches lie.
const Folder = "fetched"

const incoming = ".incoming"

// MaxAnswer bounds what is read of one answer, in bytes.
const MaxAnswer = 16 << 30

// Options are how a fetch runs.
type Options struct {
	Progress func(Report, string)             // after each call, with what was asked; may be nil
	Note     func(why error, d time.Duration) // of each wait; may be nil
}

// run is one that goes on.
type run struct {
	dir    string
	origin Origin
	Options
	cursor cursor
	file   *durable.File
	report Report
}

// Run makes all calls that are left. The report is valid with an error, too: it
// tells how far it came, and the next Run with the same request goes on there.
func (o Opened) Run(ctx context.Context, origin Origin, options Options) (Report, error) {
	f := &run{dir: o.Dir, origin: origin, Options: options}
	f.report = Report{ID: filepath.Base(o.Dir), Dir: o.Dir, Span: o.Span}
	err := f.open()
	if err == nil && !f.report.Complete {
		err = f.steps(ctx)
	}
	if f.file != nil {
		err = errors.Join(err, f.file.Close())
	}
	return f.report, err
}

func (f *run) open() (err error) {
	for _, sub := range []string{Raw, Asked} {
		if err := durable.MkdirAll(filepath.Join(f.dir, sub)); err != nil {
			return err
		}
	}
	if f.cursor, err = readCursor(f.path(cursorFile)); err != nil {
		return fmt.Errorf("reading how far the fetch came: %w", err)
	}
	f.report.Resumed = len(f.cursor.lines) > 0
	f.count()
	if err := f.sweep(); err != nil {
		return fmt.Errorf("removing what was cut off: %w", err)
	}
	f.file, err = openCursor(f.path(cursorFile), f.cursor.whole)
	return err
}

// count makes the report anew.
func (f *run) count() {
	r := f.report
	f.report = Report{ID: r.ID, Dir: r.Dir, Span: r.Span, Resumed: r.Resumed, Again: r.Again}
	live := f.cursor.live()
	for _, l := range live {
		f.report.add(l)
	}
	f.report.Put = 0
	for _, l := range f.cursor.lines {
		if l.File != "" {
			f.report.Put++
		}
	}
	for _, l := range live {
		if l.File != "" {
			f.report.Put--
		}
	}
}

func (f *run) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// sweep removes what no line of the cursor counts, and puts aside what a walk
// has left that was begun again.
func (f *run) sweep() error {
	counted, aside := map[string]bool{}, map[string]bool{}
	for _, l := range f.cursor.lines {
		aside[l.File] = l.File != ""
	}
	for _, l := range f.cursor.live() {
		counted[l.File] = true
	}
	for _, sub := range []string{Raw, Asked} {
		err := filepath.WalkDir(f.path(sub), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(f.dir, p)
			if err != nil {
				return err
			}
			switch name := filepath.ToSlash(rel); {
			case counted[name]:
				return nil
			case aside[name]:
				return f.putAside(name)
			}
			return durable.Remove(p)
		})
		if err != nil {
			return err
		}
	}
	return durable.Remove(f.path(incoming))
}

// putAside keeps an answer out of what the timeline is built of.
func (f *run) putAside(name string) error {
	for n := 1; ; n++ {
		to := f.path(path.Join(superseded, fmt.Sprint(n), name))
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
			return err
		}
		return durable.Rename(f.path(name), to)
	}
}

func (f *run) steps(ctx context.Context) error {
	restarts := 0
	for state, done := f.cursor.state(); !done; state, done = f.cursor.state() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		l, err := f.step(ctx, state)
		if forgotten := (*Forgotten)(nil); errors.As(err, &forgotten) && restarts < 3 {
			restarts++
			if err := f.restart(forgotten); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := f.append(l); err != nil {
			return err
		}
		f.report.add(l)
		if f.Progress != nil {
			f.Progress(f.report, l.Call)
		}
	}
	return nil
}

// restart begins a walk again: its answers count no more from this line on.
func (f *run) restart(e *Forgotten) error {
	l := line{At: time.Now().UTC(), Superseded: e.Walk, State: e.Restart}
	if err := f.append(l); err != nil {
		return err
	}
	f.count()
	return f.sweep()
}

func (f *run) append(l line) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := durable.AppendLine(f.file, text); err != nil {
		return err
	}
	f.cursor.lines = append(f.cursor.lines, l)
	f.cursor.whole += int64(len(text)) + 1
	return nil
}

// step makes one call, and again where that may help, and keeps its answer.
func (f *run) step(ctx context.Context, state json.RawMessage) (line, error) {
	var s Step
	var a *answer
	err := policy(f.note).Do(ctx, func() (err error) {
		if a, err = f.answer(); err != nil {
			return err
		}
		if s, err = f.origin.Step(ctx, state, f.kept, a); err != nil {
			return errors.Join(err, a.file.Close())
		}
		return nil
	})
	if err != nil {
		return line{}, err
	}
	l := line{At: time.Now().UTC(), Call: s.Call, Answer: s.Answer, File: s.File, Records: s.Records, Skipped: s.Skipped, Misses: s.Misses, State: s.State, Walk: s.Walk, Done: s.Done}
	if s.File == "" {
		return l, a.file.Close()
	}
	l.Size, l.SHA256 = a.n, hex.EncodeToString(a.sum.Sum(nil))
	return l, a.keep(f.path(incoming), f.path(s.File))
}

func (f *run) note(err error, wait time.Duration) {
	f.report.Again++
	if f.Note != nil {
		f.Note(err, wait)
	}
}

// kept reads an answer back. It must be what its line says.
func (f *run) kept(name string) ([]byte, error) {
	for _, l := range f.cursor.live() {
		if l.File != name {
			continue
		}
		data, err := os.ReadFile(f.path(name))
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != l.SHA256 {
			return nil, fmt.Errorf("%s was changed since it was fetched: it has another SHA-256", name)
		}
		return data, nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

// answer is where an answer is written, and hashed.
type answer struct {
	file *durable.File
	sum  interface {
		io.Writer
		Sum([]byte) []byte
	}
	n int64
}

func (f *run) answer() (*answer, error) {
	if err := durable.Remove(f.path(incoming)); err != nil {
		return nil, err
	}
	file, err := durable.Create(f.path(incoming))
	return &answer{file: file, sum: sha256.New()}, err
}

// Write is of io.Writer.
func (a *answer) Write(p []byte) (int, error) {
	if a.n+int64(len(p)) > MaxAnswer {
		return 0, fmt.Errorf("an answer has more than %d bytes", int64(MaxAnswer))
	}
	n, err := a.file.Write(p)
	a.sum.Write(p[:n])
	a.n += int64(n)
	return n, err
}

// keep gives the answer its name.
func (a *answer) keep(from, to string) error {
	if err := errors.Join(a.file.Sync(), a.file.Close()); err != nil {
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
		return err
	}
	return durable.Rename(from, to)
}
