package build

import (
	"context"
	"errors"
	"fmt"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/timeline/store"
)

// Compaction is what Compact did: nothing where the numbers are the same.
type Compaction struct {
	Before int `json:"segments_before"`
	After  int `json:"segments_after"`
}

// Line says it in one line.
func (c Compaction) Line() string {
	if c.Before == c.After {
		return fmt.Sprintf("%d segments, nothing to do", c.Before)
	}
	return fmt.Sprintf("%d segments became %d", c.Before, c.After)
}

// Compact writes small segments of a case's timeline into few, as is of use
// where a log was followed for long, and makes damaged or missing indexes anew.
// Rows, their ids and what proves them stay. The custody log has it.
func Compact(ctx context.Context, c *casedir.Case) (Compaction, error) {
	if !c.Writable() {
		return Compaction{}, casedir.ErrReadOnly
	}
	if _, err := store.ReadManifest(Dir(c)); err != nil {
		return Compaction{}, err
	}
	w, err := store.NewWriter(Dir(c), store.Options{})
	if err != nil {
		return Compaction{}, fmt.Errorf("compacting the timeline: %w", err)
	}
	var did Compaction
	if did.Before, did.After, err = w.Compact(ctx); err != nil {
		return did, fmt.Errorf("compacting the timeline: %w", errors.Join(err, w.Abort()))
	}
	_, err = c.Log(custody.Entry{Action: "timeline-compact", Result: did.Line()})
	return did, err
}
