package isolate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Release undoes entries, the last first, whoever applied them and however far
// that came, and takes them out of the host's index. It goes on with the
// others where one fails, and may be repeated. methods gives the Method of a
// name. The entries come back as they are afterwards.
//
// A journal that cannot be written to any more (a lost case, read-only media)
// does not keep a target held: it is released, and the entry's notes say that
// the journal does not know.
func Release(ctx context.Context, entries []Entry, methods func(name string) (Method, error)) ([]Entry, error) {
	var out []Entry
	var errs []error
	for _, e := range slices.Backward(entries) {
		e, err := release(ctx, e, methods)
		if err != nil {
			errs = append(errs, fmt.Errorf("releasing %s of %s: %w", e.ID, e.Receipt.Plan.Target, err))
		}
		out = append(out, e)
	}
	sweepLocks()
	return out, errors.Join(errs...)
}

func release(ctx context.Context, e Entry, methods func(string) (Method, error)) (Entry, error) {
	p := e.Receipt.Plan
	ls, err := lockRefs(p.Refs)
	if errors.Is(err, errBusy) {
		return e, fmt.Errorf("another amber is at work on it just now: %w", err)
	}
	if err != nil {
		return e, err
	}
	defer ls.unlock()
	if e.State == Released || e.State == Failed {
		return e, strike(p, e.File)
	}
	var m Method
	if len(e.Receipt.Steps) > 0 {
		if m, err = methods(p.Method); err != nil {
			return e, err
		}
	}
	return revert(ctx, e, m)
}

// revert undoes an entry; m is nil where no step was begun.
func revert(ctx context.Context, e Entry, m Method) (Entry, error) {
	j, jerr := reopen(e.File)
	log := func(l line) {
		if jerr == nil {
			jerr = j.append(l)
		}
	}
	me := self()
	log(line{Type: lineRevert, Holder: &me})
	e.Undone = nil
	var err error
	if m != nil {
		err = m.Revert(ctx, e.Receipt, func(o Outcome) error {
			e.Undone = append(e.Undone, o)
			log(line{Type: lineUndone, Outcome: &o})
			return nil
		})
	}
	log(line{Type: lineReverted, Errs: texts(err)})
	if j != nil {
		jerr = errors.Join(jerr, j.Close())
	}
	if jerr != nil {
		e.Notes = append(e.Notes, "the release could not be recorded: "+jerr.Error())
	}
	if err != nil {
		return e, err
	}
	e.State, e.Released = Released, time.Now().UTC()
	return e, strike(e.Receipt.Plan, e.File)
}

func texts(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error()}
}
