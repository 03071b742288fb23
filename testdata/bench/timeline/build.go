package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// noRules has a build evaluate none of amber's own rules: DuckDB has no such
// thing.
const noRules = "--pack=false"

// tally is what several builds of one kind took.
type tally struct {
	took, cpu []time.Duration
	peak      int64
}

func (t *tally) add(u used) {
	t.took, t.cpu, t.peak = append(t.took, u.took), append(t.cpu, u.cpu), max(t.peak, u.peak)
}

func (t *tally) rate(events int) float64 { return float64(events) / median(t.took).Seconds() }

// builds measures each log: by reference, with the raw file kept, and DuckDB.
func (b *bench) builds() error {
	for _, l := range b.logs {
		var reference, kept, rules, other tally
		var found string
		steps := []func() error{
			func() error { return b.timeline(l.built, &reference, []string{l.path}, "--reference", noRules) },
			func() error { return b.ruled(l, &rules, &found) },
			func() error { return b.peer(l, &other) },
			func() error { return b.kept(l, &kept) },
		}
		for round := range b.rounds {
			for i := range steps { // none always comes after the same other, whose writing back it may have to bear
				if err := steps[(i+round)%len(steps)](); err != nil {
					return err
				}
			}
		}
		b.table.head(fmt.Sprintf("building, %s (events a second; median of %d)", l.name, b.rounds))
		b.table.faster("--reference | read_json → sorted Parquet", reference.rate(b.events), other.rate(b.events), 4)
		b.table.faster("raw file kept | the same", kept.rate(b.events), other.rate(b.events), 2)
		cost := median(rules.cpu).Seconds() / median(reference.cpu).Seconds()
		b.table.line("--reference, with amber's own rules", fmt.Sprintf("%.0f k/s", rules.rate(b.events)/1e3), "", fmt.Sprintf("%.2f", cost),
			fmt.Sprintf("≤ 1.30 of the processor time without, %s; %s", met(cost <= 1.3), found))
		for _, t := range []struct {
			what string
			t    *tally
		}{{"--reference", &reference}, {"raw file kept", &kept}, {"with rules", &rules}} {
			b.table.line("processor time, "+t.what, text(median(t.t.cpu)), text(median(other.cpu)), fmt.Sprintf("%.2f", median(t.t.cpu).Seconds()/median(other.cpu).Seconds()), "")
			b.table.line("peak memory, "+t.what, mib(t.t.peak), mib(other.peak), fmt.Sprintf("%.2f", float64(t.t.peak)/float64(other.peak)), "< 512 MiB, "+met(t.t.peak < 512<<20))
		}
	}
	return nil
}

// ruled builds with amber's own rules.
func (b *bench) ruled(l *logFile, to *tally, found *string) error {
	dir := b.path("ruled")
	if err := b.timeline(dir, to, []string{l.path}, "--reference"); err != nil {
		return err
	}
	if *found == "" { // the rounds are alike
		var err error
		if *found, err = b.found(dir); err != nil {
			return err
		}
	}
	return os.RemoveAll(dir)
}

// kept builds with the raw file kept.
func (b *bench) kept(l *logFile, to *tally) error {
	if err := b.timeline(b.path("kept"), to, []string{l.path}, noRules); err != nil {
		return err
	}
	return os.RemoveAll(b.path("kept"))
}

// timeline builds a new case with the real program. The whole of the process
// counts.
func (b *bench) timeline(dir string, to *tally, paths []string, flags ...string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	args := append([]string{"timeline", "build", "--case", dir, "--output", "json"}, flags...)
	cmd := exec.CommandContext(b.ctx, b.exe, append(args, paths...)...)
	cmd.Dir = b.dir
	out, u, err := measure(cmd)
	if err != nil {
		return err
	}
	var report struct {
		Total struct {
			Rows int `json:"rows"`
		} `json:"total"`
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return err
	}
	if want := len(paths) * b.events; report.Total.Rows != want {
		return fmt.Errorf("amber made %d rows of %d events", report.Total.Rows, want)
	}
	to.add(u)
	return nil
}

// found tells in one line what the rules found: a log full of findings says
// little of what rules cost.
func (b *bench) found(dir string) (string, error) {
	out, err := exec.CommandContext(b.ctx, b.exe, "detect", "--case", dir).Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], err
}

// peer has DuckDB do its part. The statement alone counts, without the start
// of its process.
func (b *bench) peer(l *logFile, to *tally) error {
	if err := os.RemoveAll(l.peer); err != nil {
		return err
	}
	replies, u, err := b.duck(statement{SQL: l.sql})
	if err != nil {
		return err
	}
	u.took = replies[0].time()
	to.add(u)
	return nil
}

// both builds what is asked later.
func (b *bench) both() error {
	var t tally
	if err := b.timeline(b.path("case-both"), &t, []string{b.logs[0].path, b.logs[1].path}, "--reference", noRules); err != nil {
		return err
	}
	b.table.head("both logs into one timeline, --reference")
	b.table.line("events a second", fmt.Sprintf("%.0f k/s", t.rate(2*b.events)/1e3), "", "", "")
	b.table.line("peak memory", mib(t.peak), "", "", "< 512 MiB, "+met(t.peak < 512<<20))
	return nil
}

// segments is what DuckDB reads a timeline by.
func segments(caseDir string) string {
	return "read_parquet('" + filepath.Join(caseDir, "timeline", "segments", "*.parquet") + "')"
}
