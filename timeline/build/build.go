// Package build makes a timeline of logs and bundles: it finds them, keeps the
// raw files as evidence, reads each on all cores and accounts for every record.
//
//	walk      paths → files, in a fixed order; bundles as they are met
//	acquire   file → a copy under timeline/raw, named by its SHA-256
//	feed      the copy → decompressed, framed, in batches
//	work      batches → events, one parser and one run of the store a core
//
// A file is hashed and copied while it is parsed, from the copy: what is parsed
// is what is kept. The store's commit is the build's, so that one that is killed
// is redone as if it had not been begun.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
	"amber/timeline"
	"amber/timeline/source/framing"
	"amber/timeline/store"
)

// Options say what is built of what.
type Options struct {
	Case    *casedir.Case // open for writing, which is the lock
	Paths   []string      // files, directories, bundles; "-" is Stdin
	Stdin   io.Reader
	Sources []timeline.Source // in order of preference where two are as sure

	As        string                   // the name of the source that reads all files; "" to recognise them
	Reference bool                     // keep digest and path alone; standard input is kept all the same
	Skew      map[string]time.Duration // by source, what is added to its times to show them
	Limits    framing.Limits
	Workers   int // goroutines that parse; 0 for one a core
	Store     store.Options
	Keys      *encrypt.Keyring // opens bundles that are encrypted; may be nil
	Watch     Watcher          // sees every event; may be nil
	Progress  func(Progress)   // called by one goroutine at a time; may be nil
}

// Progress is how far a build is.
type Progress struct {
	Path    string // the file that is read
	Files   int    // that are read
	Bytes   int64  // decompressed
	Records int64
}

// Dir is where the timeline of a case lies.
func Dir(c *casedir.Case) string { return filepath.Join(c.Dir(), "timeline") }

// Build adds what lies at the paths to the timeline of the case. An error means
// that nothing was added. Files that cannot be read and records that give no row
// are no error: the Report has them. What the timeline holds already, by its
// digest, adds nothing.
func Build(ctx context.Context, o Options) (Report, error) {
	b, err := begin(o)
	if err != nil {
		return Report{}, fmt.Errorf("building the timeline: %w", err)
	}
	report, err := b.build(ctx)
	if err != nil {
		return report, fmt.Errorf("building the timeline: %w", errors.Join(err, b.abort()))
	}
	return report, nil
}

// builder is one build.
type builder struct {
	Options
	dir     string // of the timeline
	store   *store.Writer
	pool    *pool
	account *account
	carry   *carry
	as      timeline.Source
	told    Progress
	base    int64 // decompressed bytes of the files before this one
}

func begin(o Options) (*builder, error) {
	if !o.Case.Writable() {
		return nil, casedir.ErrReadOnly
	}
	b := &builder{Options: o, dir: Dir(o.Case), account: newAccount(), carry: newCarry()}
	if o.As != "" {
		if b.as = sourceNamed(o.Sources, o.As); b.as == nil {
			return nil, fmt.Errorf("there is no source %q", o.As)
		}
	}
	var err error
	if b.store, err = store.NewWriter(b.dir, o.Store); err != nil {
		return nil, err
	}
	if err := b.sweepRaw(); err != nil {
		return nil, err
	}
	return b, nil
}

func sourceNamed(sources []timeline.Source, name string) timeline.Source {
	for _, s := range sources {
		if s.Name() == name {
			return s
		}
	}
	return nil
}

func (b *builder) build(ctx context.Context) (Report, error) {
	var err error
	if err = b.start(ctx); err != nil {
		return Report{}, err
	}
	walked := b.walkAll(ctx)
	if walked == nil {
		walked = b.carry.end()
	}
	if err := b.end(ctx, walked); err != nil {
		return Report{}, err
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	return b.commit(ctx)
}

// end waits for the workers. What the Watcher saw is written while the last
// runs are.
func (b *builder) end(ctx context.Context, err error) error {
	if b.pool.end() && err == nil && b.Watch != nil && !b.account.unchanged() {
		err = b.Watch.Prepare(ctx)
	}
	return errors.Join(err, b.pool.close())
}

// start begins with the workers.
func (b *builder) start(ctx context.Context) (err error) {
	if b.Watch != nil {
		if err := b.Watch.Begin(b.store); err != nil {
			return err
		}
	}
	b.pool, err = newPool(ctx, b.store, b.account, b.Workers, b.Watch)
	return err
}

// commit makes the rows part of the timeline, and is entered in the custody log.
func (b *builder) commit(ctx context.Context) (Report, error) {
	if b.account.unchanged() {
		report := b.account.report(nil)
		return report, errors.Join(report.Check(), b.abort())
	}
	if err := b.syncRaw(); err != nil {
		return Report{}, err
	}
	before := b.account.report(nil)
	if err := before.Check(); err != nil {
		return Report{}, err
	}
	folds, err := b.store.Commit(ctx)
	if err != nil {
		return Report{}, err
	}
	if b.Watch != nil {
		b.Watch.Committed()
	}
	report := b.account.report(folds)
	_, err = b.Case.Log(custody.Entry{Action: "timeline", Result: report.Line()})
	return report, errors.Join(report.Check(), err)
}

func (b *builder) abort() error {
	err := b.store.Abort()
	if b.Watch != nil {
		err = errors.Join(err, b.Watch.Abort())
	}
	return err
}
