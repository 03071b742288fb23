package main

import (
	"context"
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/timeline"
	"amber/timeline/query"
	"amber/timeline/store"
)

// parseQuery reads a query; the error shows where the mistake is. Names are the
// fields without a column that the timeline has; nil takes any.
func parseQuery(text string, names []string) (timeline.Expr, error) {
	e, err := query.Parse(text, query.Options{Extra: names})
	var wrong *query.SyntaxError
	if errors.As(err, &wrong) {
		return nil, usagef("%s\n%w", wrong.Caret(), err)
	}
	return e, err
}

// asked is the timeline of the case that is meant, and what is asked of it. A
// mistake in the query is told before anything is opened.
func asked(c *cli.Context, text string) (*store.Store, timeline.Expr, error) {
	if n := c.Int("limit"); n < 0 {
		return nil, nil, usagef("--limit %d: want none or more", n)
	}
	e, err := parseQuery(text, nil)
	if err != nil {
		return nil, nil, err
	}
	s, err := openTimeline(c)
	if err != nil {
		return nil, nil, err
	}
	if e, err = namesKnown(c.Context, s, text, e); err != nil {
		return nil, nil, errors.Join(err, s.Close())
	}
	return s, query.Widen(e), nil
}

// namesKnown refuses a query for a field that the timeline has nowhere: its
// empty answer would be taken for one. The names are read where they are
// needed alone.
func namesKnown(ctx context.Context, s *store.Store, text string, e timeline.Expr) (timeline.Expr, error) {
	if !query.NamesExtra(e) {
		return e, nil
	}
	names, err := extraNames(ctx, s)
	if err != nil {
		return nil, err
	}
	return parseQuery(text, names)
}

// extraNames are never nil.
func extraNames(ctx context.Context, s *store.Store) ([]string, error) {
	names, err := s.Names(ctx)
	if names == nil {
		names = []string{}
	}
	return names, err
}

// fieldsKnown checks names that a flag or an argument gives.
func fieldsKnown(ctx context.Context, s *store.Store, fields ...string) error {
	var names []string
	for _, f := range fields {
		if query.IsColumn(f) {
			continue
		}
		var err error
		if names == nil {
			if names, err = extraNames(ctx, s); err != nil {
				return err
			}
		}
		if err := query.Known(f, names); err != nil {
			return usageError{err}
		}
	}
	return nil
}

// fieldList reads names apart by commas.
func fieldList(text string) (fields []string) {
	for f := range strings.SplitSeq(text, ",") {
		if f = strings.TrimSpace(f); f != "" {
			fields = append(fields, f)
		}
	}
	return fields
}
