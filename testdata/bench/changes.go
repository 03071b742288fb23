package main

import (
	"fmt"
	"syscall"
	"time"

	"amber/evidence"
)

const changesRuns = 5

// changed starts a container of the large image and changes 5 MiB in it, once.
func (b *bench) changed() error {
	if _, ok := b.containers["changed"]; ok {
		return nil
	}
	image, err := b.bigImage()
	if err != nil {
		return err
	}
	r, err := b.container("changed", image)
	if err != nil {
		return err
	}
	if err := b.change(r); err != nil {
		return fmt.Errorf("changing files: %w", err)
	}
	syscall.Sync()
	return nil
}

// changes collects 5 MiB of changes on the image of 1 GiB, without --full.
func (b *bench) changes() error {
	if err := b.needFull(); err != nil {
		return err
	}
	if err := b.changed(); err != nil {
		return err
	}
	var list []collected
	for range changesRuns + 1 { // the first is to warm up
		c, err := b.collect("changed", "collect")
		if err != nil {
			return err
		}
		if err := c.remove(); err != nil {
			return err
		}
		list = append(list, c)
	}
	b.changesRows(list[1:])
	return nil
}

func (b *bench) changesRows(list []collected) {
	last := list[len(list)-1]
	b.notes = append(b.notes, fmt.Sprintf("changes: median of %d after one to warm up; %d members, %s read", len(list), last.Members, mib(last.Plain)))
	b.table.head("3. 5 MiB of changes on the same image, without --full: as a share of the full collection")
	share := func(what string, get func(collected) time.Duration, full time.Duration, target bool) {
		d := medianOf(list, get)
		percent, aim := 100*float64(d)/float64(full), ""
		if target {
			aim = "< 5 %, " + met(percent < 5)
		}
		b.table.rows = append(b.table.rows, [5]string{"  " + what, text(d), text(full) + " full", fmt.Sprintf("%.1f %%", percent), aim})
	}
	share("until the bundle is sealed", func(c collected) time.Duration { return c.sealed }, b.fullTimes.sealed, true)
	share("the whole process, verified too", func(c collected) time.Duration { return c.Wall }, b.fullTimes.whole, false)
	share("the file system's step alone", func(c collected) time.Duration { return c.step("filesystem") }, b.fullTimes.step, false)
	for _, s := range last.Steps {
		b.table.line("of the last run: "+s.Name, text(s.End.Sub(s.Start)), "")
	}
}

const stillRuns = 3

// still is how long the target stood still while respond worked.
func (b *bench) still() error {
	if err := b.changed(); err != nil {
		return err
	}
	b.table.head("4. time that the target stood still, by respond --resume")
	for _, full := range []bool{false, true} {
		verb, what := []string{"respond", "--yes", "--resume"}, "5 MiB of changes"
		if full {
			verb, what = append(verb, "--full"), "the same with --full, 1 GiB"
		}
		var list, recorded []time.Duration
		for range stillRuns {
			c, err := b.collect("changed", verb...)
			if err != nil {
				return err
			}
			r, err := recordedStill(c)
			if err != nil {
				return err
			}
			list, recorded = append(list, time.Duration(c.Frozen.Millis)*time.Millisecond), append(recorded, r)
			if err := c.remove(); err != nil {
				return err
			}
		}
		b.table.line(what+": stood_still_ms of the result", text(median(list)), "")
		b.table.line(what+": in the acquisition record (until the collectors ended)", text(median(recorded)), "")
	}
	return nil
}

// recordedStill is the time in the acquisition record.
func recordedStill(c collected) (time.Duration, error) {
	if c.Frozen == nil {
		return 0, fmt.Errorf("the result of respond says nothing of a freeze: %s", c.Out)
	}
	bundle, err := evidence.Open(c.Dir)
	if err != nil {
		return 0, err
	}
	defer bundle.Close()
	a, err := bundle.Acquisition()
	if err != nil {
		return 0, err
	}
	if a.Frozen == nil {
		return 0, fmt.Errorf("the acquisition record of %s says nothing of a freeze", c.ID)
	}
	return time.Duration(a.Frozen.Millis) * time.Millisecond, nil
}
