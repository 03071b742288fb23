package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"amber/collect/checkpoint"
	"amber/evidence"
	"amber/evidence/analyse"
	"amber/evidence/safetext"
)

// exportCommand hands evidence over in the forms of other tools.
func exportCommand(common func(...cli.Flag) []cli.Flag) *cli.Command {
	return &cli.Command{
		Name: "export", Usage: "write a bundle's checkpoint as an archive for checkpointctl or Podman", ArgsUsage: "ID", Action: viewing(1, 1, "--as checkpoint --to FILE ID", evidenceExport),
		Description: "The archive is the runtime's own, byte for byte, where it made one (the kubelet's); else\n" +
			"one of the same layout. Restoring it runs the target's code: not here, and not lightly.",
		Flags: common(
			&cli.StringFlag{Name: "as", Usage: "`checkpoint` is what there is"},
			&cli.StringFlag{Name: "to", Usage: "the new `FILE`, or - for standard output"},
		),
	}
}

// exportResult is what export -o json prints.
type exportResult struct {
	checkpoint.Exported
	To   string            `json:"to"`
	Left map[string]string `json:"left_out,omitempty"`
}

func evidenceExport(v view) error {
	to := v.c.String("to")
	if v.c.String("as") != "checkpoint" || to == "" {
		return usagef("want --as checkpoint and --to FILE")
	}
	if to == "-" && (v.json || isTerminal(os.Stdout)) {
		return usagef("--to - writes an archive: send standard output to a file or a pipe, without --output json")
	}
	b, err := v.bundle(v.c.Args().First(), "export", to)
	if err != nil {
		return err
	}
	defer b.Close()
	r := exportResult{To: to, Left: map[string]string{}}
	if err := r.write(v, b); err != nil {
		return err
	}
	for path, why := range r.Left {
		fmt.Fprintf(os.Stderr, "amber: note: %s is left out: %s\n", safetext.Line(path), safetext.Line(why))
	}
	if v.json {
		return emit(os.Stdout, r)
	}
	what := fmt.Sprintf("%s of CRIU's, %s that the container changed", countText(r.Images, "image"), countText(r.Changed, "file"))
	if r.AsMade {
		what = "the runtime's own archive, byte for byte"
	}
	fmt.Fprintf(os.Stderr, "%s: %s (%s)\n", safetext.Line(to), what, size(r.Bytes))
	return nil
}

// mostLeft is how many things that are left out are named.
const mostLeft = 1000

// write makes the file, or none.
func (r *exportResult) write(v view, b *evidence.Bundle) (err error) {
	var out io.Writer = os.Stdout
	if r.To != "-" {
		f, openErr := os.OpenFile(r.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if openErr != nil {
			return openErr
		}
		defer func() {
			if closeErr := f.Close(); err == nil {
				err = closeErr
			}
			if err != nil {
				_ = os.Remove(r.To) // what is not whole is not left
			}
		}()
		out = f
	}
	w := bufio.NewWriterSize(out, 1<<20)
	r.Exported, err = checkpoint.Export(v.c.Context, b, w, func(path, why string) {
		if len(r.Left) < mostLeft {
			r.Left[path] = why
		}
	})
	if errors.Is(err, analyse.ErrNoCheckpoint) {
		return outcome{exitMisses, err.Error()}
	}
	return errors.Join(err, w.Flush())
}
