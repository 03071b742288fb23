package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"amber/testdata/testbed"
)

const frozenRuns = 3

// criuBin is where the testbed keeps CRIU.
func criuBin() string { return filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin") }

// frozen is how long a process of 2 GiB without sockets must stand still until
// its memory is read, hashed, compressed and stored by amber, beside the time
// for which CRIU holds it, as CRIU counts: that writes the pages as they are, on
// the same disk.
func (b *bench) frozen() error {
	if _, ok := b.containers["held"]; !ok {
		if _, _, err := b.startHeld(); err != nil {
			return err
		}
	}
	b.table.head("11. time that a process of 2 GiB stands still for its memory, beside criu dump")
	var ours, theirs, cpu, steps []time.Duration
	for range frozenRuns {
		memory, err := b.collectOnce("collect")
		if err != nil {
			return err
		}
		ours, cpu = append(ours, memory.step("memory")), append(cpu, memory.cpu())
		if err := errors.Join(memory.remove(), shrink()); err != nil {
			return err
		}
		held, step, err := b.dump()
		if err != nil {
			return err
		}
		theirs, steps = append(theirs, held), append(steps, step)
	}
	b.table.beside("frozen (amber: read, hashed, compressed, stored; criu: written)", median(ours), median(theirs), 0)
	b.table.other("the step (criu: its dump, and the images into the bundle)", text(median(ours)), text(median(steps)))
	b.table.other("processor time of amber with memory", text(median(cpu)), "")
	return nil
}

func (b *bench) collectOnce(verb ...string) (collected, error) {
	if err := shrink(); err != nil {
		return collected{}, err
	}
	return b.collect("held", verb...)
}

// dump has CRIU dump it through amber, and gives how long CRIU held it and how
// long the step took.
func (b *bench) dump() (held, step time.Duration, err error) {
	c, err := b.collectOnce("collect", "--checkpoint", "--memory", "none")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	s, err := b.run(b.amber("evidence", "cat", "--case", c.bundle.Case, filepath.Base(c.Dir), "checkpoint/checkpoint.json"))
	if err != nil {
		return 0, 0, err
	}
	var made struct {
		Frozen int64 `json:"frozen_usec"`
		Bytes  int64
		Error  string
	}
	if err := json.Unmarshal(s.Out, &made); err != nil {
		return 0, 0, err
	}
	if made.Frozen == 0 || made.Bytes < heldBytes {
		return 0, 0, fmt.Errorf("CRIU dumped %d bytes: %s", made.Bytes, made.Error)
	}
	return time.Duration(made.Frozen) * time.Microsecond, c.step("checkpoint"), nil
}
