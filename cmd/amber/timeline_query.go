package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/custody"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/export"
	"amber/timeline/store"
)

// usual are the columns that query shows when it is not told which.
var usual = []string{"event.dataset", "user.name", "event.action", "event.outcome", "source.ip", "orchestrator.namespace", "orchestrator.resource.name", "message"}

// openTimeline opens the timeline of the case that is meant.
func openTimeline(c *cli.Context) (*store.Store, error) {
	dir, err := findCase(c)
	if err != nil {
		return nil, err
	}
	ring, err := keyring(c)
	if err != nil {
		return nil, err
	}
	at := filepath.Join(dir, "timeline")
	s, err := store.Open(at, store.OpenOptions{Raw: build.Raw(at, ring)})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("the case %s has no timeline yet: amber timeline build --case %s [PATH...]", dir, dir)
	}
	if err == nil {
		tellMended(s, dir)
	}
	return s, err
}

func timelineQuery(c *cli.Context, asJSON bool) error {
	s, where, err := asked(c, c.Args().First())
	if err != nil {
		return err
	}
	defer s.Close()
	fields := usual
	if f := fieldList(c.String("fields")); f != nil {
		fields = f
	}
	if err := fieldsKnown(c.Context, s, fields...); err != nil {
		return err
	}
	ask := timeline.Ask{Where: where, Fields: fields, Backward: c.Bool("reverse")}
	if asJSON {
		return queryJSON(c, s, ask)
	}
	return queryText(c, s, ask, fields)
}

// queryJSON prints a row a line, with all fields unless some are named.
func queryJSON(c *cli.Context, s *store.Store, ask timeline.Ask) error {
	if fieldList(c.String("fields")) == nil {
		ask.Fields = []string{"*"}
	}
	out, err := export.New("jsonl", os.Stdout, nil)
	if err != nil {
		return err
	}
	err = eachRow(c, s, ask, out.Write)
	return errors.Join(err, out.Close())
}

func queryText(c *cli.Context, s *store.Store, ask timeline.Ask, fields []string) error {
	var rows [][]string
	header := append(append([]string{"TIME"}, fields...), "ROW")
	flush := func() error {
		err := table(os.Stdout, header, rows)
		header, rows = nil, nil
		return err
	}
	err := eachRow(c, s, ask, func(r timeline.Row) error {
		line := []string{store.FormatTime(r.Time)}
		for _, f := range fields {
			line = append(line, shorten(valueText(r.Values[f]), 100))
		}
		rows = append(rows, append(line, hex.EncodeToString(r.ID[:])))
		if len(rows) == 500 { // a table of all rows might not fit
			return flush()
		}
		return nil
	})
	if err == nil && len(rows) > 0 || header != nil {
		err = errors.Join(err, flush())
	}
	return err
}

// valueText is a value as a table shows it.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case []string:
		return strings.Join(v, ", ")
	}
	return fmt.Sprint(v)
}

// eachRow pages through the rows.
func eachRow(c *cli.Context, s *store.Store, ask timeline.Ask, do func(timeline.Row) error) error {
	left := c.Int("limit")
	var from timeline.Cursor
	for {
		n := 5000
		if left > 0 {
			n = min(n, left)
		}
		page, err := s.Rows(c.Context, ask, from, n)
		if err != nil {
			return err
		}
		for _, r := range page.Rows {
			if err := do(r); err != nil {
				return err
			}
		}
		if left > 0 {
			if left -= len(page.Rows); left <= 0 {
				return nil
			}
		}
		if from = page.Next; from == "" || len(page.Rows) == 0 {
			return nil
		}
	}
}

func timelineFacets(c *cli.Context, asJSON bool) error {
	if c.NArg() != 1 {
		return usagef("want %s FIELD", c.Command.HelpName)
	}
	return buckets(c, asJSON, func(s *store.Store, where timeline.Expr) (timeline.Partial, error) {
		if err := fieldsKnown(c.Context, s, c.Args().First()); err != nil {
			return timeline.Partial{}, err
		}
		return s.Facets(c.Context, where, c.Args().First(), c.Int("limit"), nil)
	})
}

func timelineHistogram(c *cli.Context, asJSON bool) error {
	width := c.Duration("bucket")
	if width < time.Microsecond {
		return usagef("--bucket %s: want a microsecond or more", width)
	}
	return buckets(c, asJSON, func(s *store.Store, where timeline.Expr) (timeline.Partial, error) {
		return s.Histogram(c.Context, where, width.Microseconds(), nil)
	})
}

// buckets prints an answer that is values and their counts.
func buckets(c *cli.Context, asJSON bool, ask func(*store.Store, timeline.Expr) (timeline.Partial, error)) error {
	s, where, err := asked(c, c.String("where"))
	if err != nil {
		return err
	}
	defer s.Close()
	got, err := ask(s, where)
	if err != nil {
		return err
	}
	if asJSON {
		if got.Buckets == nil {
			got.Buckets = []timeline.Bucket{}
		}
		return emit(os.Stdout, got)
	}
	var rows [][]string
	for _, b := range got.Buckets {
		rows = append(rows, []string{fmt.Sprint(b.Count), cmp.Or(b.Key, store.FormatTime(timeline.Time{Micros: b.Micro}))})
	}
	return table(os.Stdout, nil, rows)
}

// timelineRaw prints what proves a row. It is a look into evidence.
func timelineRaw(c *cli.Context, _ bool) error {
	id, err := rowID(c.Args().First())
	if err != nil {
		return err
	}
	s, err := openTimeline(c)
	if err != nil {
		return err
	}
	defer s.Close()
	raw, err := s.Raw(c.Context, id)
	if errors.Is(err, build.ErrChanged) {
		return outcome{exitVerify, err.Error()}
	}
	if err != nil {
		return err
	}
	defer raw.Close()
	if err := logLook(c, custody.Entry{Action: "timeline-raw", Result: "row " + c.Args().First()}); err != nil {
		return err
	}
	out := io.Writer(os.Stdout)
	if isTerminal(os.Stdout) {
		out = safeWriter{os.Stdout}
	}
	_, err = io.Copy(out, raw)
	return err
}

// safeWriter makes evidence fit for a terminal.
type safeWriter struct{ to io.Writer }

func (w safeWriter) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.to, safeLines(string(p)))
	return len(p), err
}

// logLook enters a look at the timeline.
func logLook(c *cli.Context, e custody.Entry) error {
	cs, err := look(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	defer sayElsewhere(cs)
	_, err = cs.Log(e)
	return err
}

func rowID(text string) (id timeline.RowID, err error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(id) {
		return id, usagef("%q is no row: want its 32 hex digits, the last column of a query", text)
	}
	return timeline.RowID(raw), nil
}
