package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

const (
	fullRuns = 5
	coldRuns = 1
)

// both is one pair of runs, A and B.
type both struct {
	a collected
	b spent
}

func (b *bench) full() error {
	if err := b.startFull(); err != nil {
		return err
	}
	if _, err := b.pipeline("big"); err != nil { // warms the cache
		return err
	}
	warm, err := b.pairs(fullRuns, nil)
	if err != nil {
		return err
	}
	b.fullTimes = timesOf(warm)
	b.fullRows(warm)
	if err := b.streamed(warm); err != nil {
		return err
	}
	return b.cold()
}

// startFull starts a container of the large image, once.
func (b *bench) startFull() error {
	if _, ok := b.containers["big"]; ok {
		return nil
	}
	image, err := b.bigImage()
	if err != nil {
		return err
	}
	if _, err := b.container("big", image); err != nil {
		return err
	}
	// As respond has it: the target stands still while it is collected.
	if _, err := b.run(b.ctr("task", "pause", "big")); err != nil {
		return err
	}
	syscall.Sync() // what the image left to be written is not to be measured
	return nil
}

// pipeline is what a responder would do without amber.
func (b *bench) pipeline(id string) (spent, error) {
	s, err := b.run(b.command("sh", "-c", `tar -C "$0" -c . | zstd -T0 -1 | sha256sum`, b.merged(id)))
	if err == nil && len(s.Out) < 64 {
		err = fmt.Errorf("the pipeline printed %q", s.Out)
	}
	return s, err
}

// pairs runs amber and the pipeline in turn, each after before.
func (b *bench) pairs(n int, before func() error) ([]both, error) {
	var list []both
	for range n {
		var p both
		var err error
		if err = prepare(before); err != nil {
			return nil, err
		}
		if p.a, err = b.collect("big", "collect", "--full"); err != nil {
			return nil, err
		}
		if err := b.keep(p.a.bundle); err != nil {
			return nil, err
		}
		if err = prepare(before); err != nil {
			return nil, err
		}
		if p.b, err = b.pipeline("big"); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

func prepare(f func() error) error {
	syscall.Sync()
	if f == nil {
		return nil
	}
	return f()
}

// keep keeps the last full bundle for what reads it, and removes the one before.
func (b *bench) keep(last bundle) error {
	before := b.kept
	b.kept = last
	if before.Case == "" {
		return nil
	}
	return before.remove()
}

func (b *bench) fullRows(warm []both) {
	a := func(get func(collected) time.Duration) time.Duration {
		return medianOf(warm, func(p both) time.Duration { return get(p.a) })
	}
	o := func(get func(spent) time.Duration) time.Duration {
		return medianOf(warm, func(p both) time.Duration { return get(p.b) })
	}
	wall := o(func(s spent) time.Duration { return s.Wall })
	k := b.kept
	b.notes = append(b.notes, fmt.Sprintf("full: median of %d after one to warm up; %d members, %d misses, %s read, %s stored, state %s",
		fullRuns, k.Members, k.Misses, mib(k.Plain), mib(k.Stored), k.State))
	b.table.head("2. 1 GiB with --full: amber collect | tar -C ROOT -c . | zstd -T0 -1 | sha256sum")
	b.table.beside("warm, until the bundle is sealed", b.fullTimes.sealed, wall, 1.0)
	b.table.beside("warm, the whole process (amber: bundle read back and verified too)", b.fullTimes.whole, wall, 0)
	b.table.beside("warm, the file system's step alone", b.fullTimes.step, wall, 0)
	b.table.beside("CPU, user", a(func(c collected) time.Duration { return c.User }), o(func(s spent) time.Duration { return s.User }), 0)
	b.table.beside("CPU, system", a(func(c collected) time.Duration { return c.Sys }), o(func(s spent) time.Duration { return s.Sys }), 0)
	b.table.beside("CPU, both", a(func(c collected) time.Duration { return c.cpu() }), o(spent.cpu), 0)
	b.table.other("until sealed, each run, s", each(warm, func(p both) time.Duration { return p.a.sealed }), each(warm, func(p both) time.Duration { return p.b.Wall }))
}

func each(list []both, get func(both) time.Duration) string {
	var words []string
	for _, p := range list {
		words = append(words, fmt.Sprintf("%.2f", get(p).Seconds()))
	}
	return strings.Join(words, " ")
}

// streamed is the same collection with nothing spooled: what the disk costs is
// the difference.
func (b *bench) streamed(warm []both) error {
	var list []time.Duration
	for range 3 {
		cmd, null, err := toNull(b.amber("collect", "--full", "--to", "-", "--case", b.newCase(), b.target("big")))
		if err != nil {
			return err
		}
		s, err := b.run(cmd)
		null.Close()
		if err != nil {
			return err
		}
		list = append(list, s.Wall)
	}
	b.table.beside("warm, streamed (--to - > /dev/null), median of 3", median(list), medianOf(warm, func(p both) time.Duration { return p.b.Wall }), 0)
	return nil
}

// cold drops the page cache before each run.
func (b *bench) cold() error {
	drop := func() error { return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0) }
	if err := drop(); err != nil {
		b.table.line("cold cache", "not permitted here", "")
		return nil
	}
	cold, err := b.pairs(coldRuns, drop)
	if err != nil {
		return err
	}
	b.table.beside(fmt.Sprintf("cold cache, until the bundle is sealed, runs: %d", coldRuns),
		medianOf(cold, func(p both) time.Duration { return p.a.sealed }), medianOf(cold, func(p both) time.Duration { return p.b.Wall }), 0)
	return nil
}

// needFull makes a full bundle where no section before did.
func (b *bench) needFull() error {
	if b.kept.Case != "" {
		return nil
	}
	if err := b.startFull(); err != nil {
		return err
	}
	pairs, err := b.pairs(1, nil)
	if err != nil {
		return err
	}
	b.fullTimes = timesOf(pairs)
	return nil
}
