package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/timeline"
	"amber/timeline/export"
	"amber/timeline/store"
)

// parquet is written by the store itself.
const parquet = "parquet"

func exportFormats() []string { return append(export.Formats(), parquet) }

// timelineExport writes the rows that match. What is asked for is checked before
// a file is made.
func timelineExport(c *cli.Context, _ bool) (err error) {
	format := c.String("format")
	if !slices.Contains(exportFormats(), format) {
		return usagef("no format is called %q: there are %s", format, strings.Join(exportFormats(), ", "))
	}
	if format == parquet && c.String("to") == "" && isTerminal(os.Stdout) {
		return usagef("a Parquet file is nothing for a terminal: name a file with --to")
	}
	s, where, err := asked(c, c.Args().First())
	if err != nil {
		return err
	}
	defer s.Close()
	out := io.Writer(os.Stdout)
	if to := c.String("to"); to != "" {
		f, err := durable.Create(to)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
		out = f
	}
	begun := time.Now()
	n, err := exportRows(c, s, where, format, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d rows in %s\n", n, time.Since(begun).Round(time.Millisecond))
	return logLook(c, custody.Entry{Action: "timeline-export", Result: fmt.Sprintf("%d rows as %s", n, format)})
}

func exportRows(c *cli.Context, s *store.Store, where timeline.Expr, format string, out io.Writer) (int64, error) {
	if format == parquet {
		return s.Parquet(c.Context, where, out)
	}
	f, err := export.New(format, out, nil)
	if err != nil {
		return 0, err
	}
	return export.All(c.Context, s, timeline.Ask{Where: where}, f)
}
