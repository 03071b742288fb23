// Bench measures amber's timeline side by side with DuckDB: the same generated
// logs, the same columns, two threads each, one run, A/B/A/B, medians. It
// prints its inputs, the SQL, what the two agree on and a table, and judges
// nothing by time: it fails where something does not run or the rows differ.
//
// It is a module of its own because DuckDB needs cgo.
//
//	timeline [-amber FILE] [-dir DIR] [-events N] [-rounds N]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	amber := flag.String("amber", "../../../bin/amber", "the binary to measure")
	dir := flag.String("dir", os.TempDir(), "where everything is put, and removed again: 8 GB for a million events of each kind")
	events := flag.Int("events", 1_000_000, "so many Kubernetes audit events, and as many of CloudTrail")
	rounds := flag.Int("rounds", 5, "builds of each kind, of which the median counts")
	child := flag.Bool("duckdb", false, "run the statements on standard input, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *child {
		err = serveDuck(ctx, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, *amber, *dir, *events, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a run.
type bench struct {
	ctx    context.Context
	exe    string // the amber that is measured
	dir    string
	events int
	rounds int
	logs   []*logFile
	table  table
	notes  []string
}

func run(ctx context.Context, amber, parent string, events, rounds int) (err error) {
	begun := time.Now()
	if parent, err = filepath.Abs(parent); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(parent, "amber-bench-timeline-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{ctx: ctx, exe: filepath.Join(dir, "amber"), dir: dir, events: events, rounds: rounds}
	if err := copyProgram(amber, b.exe); err != nil {
		return err
	}
	b.note("load, before", load())
	var errs []error
	for _, step := range []struct {
		name string
		do   func() error
	}{{"generate", b.generate}, {"build", b.builds}, {"least", b.least}, {"both logs in one timeline", b.both}, {"compare", b.compare}, {"sizes", b.sizes}, {"queries", b.queries}} {
		fmt.Fprintf(os.Stderr, "bench: %s …", step.name)
		at := time.Now()
		err := step.do()
		fmt.Fprintf(os.Stderr, " %s\n", time.Since(at).Round(time.Second))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", step.name, err))
			break
		}
	}
	b.note("load, after", load())
	b.print(os.Stdout)
	fmt.Printf("\nThe whole run took %s.\n", time.Since(begun).Round(time.Second))
	return errors.Join(errs...)
}

// copyProgram makes the run measure one program, though another is built
// meanwhile.
func copyProgram(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("%w (make build)", err)
	}
	return os.WriteFile(to, data, 0o700)
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }
