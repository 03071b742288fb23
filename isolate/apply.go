package isolate

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"amber/evidence/durable"
)

// Apply carries a plan out and leaves the target held, with its journal in
// caseDir and its hold in the host's index before the first step is taken.
//
// It returns *RefusedError for a critical target that is not Forced, and
// *HeldError for one that is held already; nothing is touched then. Where some
// steps failed, the error is the method's, and the entry says what holds: if
// it is Held, the target is isolated in part and to be released; if nothing
// could be changed it is Failed and there is nothing to release.
func Apply(ctx context.Context, caseDir string, m Method, p Plan) (Entry, error) {
	return ApplyAfter(ctx, &durable.Batch{}, caseDir, m, p)
}

// ApplyAfter is Apply where something else, a new case perhaps, has to be on
// the disk before the first step too: one flush for all of it.
func ApplyAfter(ctx context.Context, pending *durable.Batch, caseDir string, m Method, p Plan) (Entry, error) {
	if len(p.Critical) > 0 && !p.Forced {
		return Entry{}, &RefusedError{Target: p.Target, Reasons: p.Critical}
	}
	caseDir, err := filepath.Abs(caseDir)
	if err != nil {
		return Entry{}, err
	}
	ls, err := claim(ctx, p)
	if err != nil {
		return Entry{}, err
	}
	defer ls.unlock()
	judge := p.judge()
	p.Judge = nil
	j, err := Begin(caseDir, p, pending)
	if err != nil {
		return Entry{}, err
	}
	j.judge = judge
	err = applyWith(ctx, j, caseDir, m, p)
	err = errors.Join(err, j.Close())
	e, loadErr := LoadFile(j.Path())
	return e, errors.Join(err, loadErr)
}

// judge gives *RefusedError where the plan turns out to be critical.
func (p Plan) judge() func() error {
	if p.Judge == nil || p.Forced {
		return nil
	}
	return sync.OnceValue(func() error {
		if reasons := p.Judge(); len(reasons) > 0 {
			return &RefusedError{Target: p.Target, Reasons: reasons}
		}
		return nil
	})
}

func applyWith(ctx context.Context, j *Journal, caseDir string, m Method, p Plan) error {
	if err := enter(j, caseDir, p); err != nil {
		now := time.Now().UTC()
		r := Receipt{Plan: p, Start: now, End: now, Errs: []string{err.Error()}}
		return errors.Join(err, j.Finish(r), strike(p, j.Path()))
	}
	r, err := m.Apply(ctx, p, j)
	if err != nil {
		err = fmt.Errorf("applying %s to %s: %w", p.Method, p.Target, err)
		r.Errs = append(r.Errs, err.Error())
	}
	err = errors.Join(err, j.Finish(r))
	if !r.Changed() {
		err = errors.Join(err, strike(p, j.Path()))
	}
	return err
}

// Verify tries whether an entry still holds, and records in its journal what
// it saw.
func Verify(ctx context.Context, e Entry, m Method) ([]Check, error) {
	checks, err := m.Verify(ctx, e.Receipt)
	if err != nil {
		return checks, fmt.Errorf("verifying %s: %w", e.ID, err)
	}
	j, err := reopen(e.File)
	if err != nil {
		return checks, fmt.Errorf("recording the checks of %s: %w", e.ID, err)
	}
	return checks, errors.Join(j.append(line{Type: lineVerify, Checks: checks}), j.Close())
}
