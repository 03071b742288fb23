// Bench measures amber side by side with the tools that do part of the same:
// one private containerd, one run, A/B/A/B, medians. It prints its inputs and
// a table, and judges nothing by time: it fails only where something does not
// run.
//
//	bench [-amber FILE] [-dir DIR] [-only SECTION,…]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	amber := flag.String("amber", "bin/amber", "the binary to measure")
	dir := flag.String("dir", os.TempDir(), "where everything is put, and removed again: 6 GiB")
	only := flag.String("only", "", "run these sections alone: freeze,full,changes,still,memory,cat,verify,start,quarantine,processes,encrypt")
	build := flag.String("make-bundle", "", "write the bundle that cat reads into this directory, and end")
	hold := flag.Bool("hold", false, "hold 2 GiB of memory, and nothing else: what the section processes starts")
	traffics := flag.String("traffic", "", "be one end of a traffic, and nothing else: what the section quarantine starts")
	flag.Parse()
	if *hold {
		fmt.Fprintln(os.Stderr, "bench:", holdMemory())
		os.Exit(1)
	}
	if *traffics != "" {
		fmt.Fprintln(os.Stderr, "bench:", traffic(*traffics))
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *build != "" {
		err = makeBundle(*build)
	} else {
		err = run(ctx, *amber, *dir, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// section is one part of the table. The later ones use what the earlier ones
// left where that is there, and make it where it is not.
type section struct {
	name string
	run  func(*bench) error
}

var sections = []section{
	{"freeze", (*bench).freeze},
	{"full", (*bench).full},
	{"changes", (*bench).changes},
	{"still", (*bench).still},
	{"memory", (*bench).memory},
	{"cat", (*bench).cat},
	{"verify", (*bench).verify},
	{"start", (*bench).start},
	{"quarantine", (*bench).quarantine},
	{"processes", (*bench).processes},
	{"frozen", (*bench).frozen},
	{"encrypt", (*bench).encrypt},
}

func run(ctx context.Context, amber, dir, only string) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("a real containerd needs root")
	}
	begun := time.Now()
	b, err := newBench(ctx, amber, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	var errs []error
	for _, s := range sections {
		if only != "" && !slices.Contains(strings.Split(only, ","), s.name) {
			continue
		}
		errs = append(errs, b.section(s))
	}
	b.printInputs(os.Stdout)
	b.table.print(os.Stdout)
	fmt.Printf("\nThe whole run took %s.\n", time.Since(begun).Round(time.Second))
	return errors.Join(errs...)
}

func (b *bench) section(s section) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	begun := time.Now()
	fmt.Fprintf(os.Stderr, "bench: %s …", s.name)
	err := s.run(b)
	fmt.Fprintf(os.Stderr, " %s\n", time.Since(begun).Round(time.Second))
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}
