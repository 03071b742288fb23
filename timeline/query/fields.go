package query

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"amber/timeline"
)

// field finds what a name means.
func (p *parser) field(name string, at int) (Field, error) {
	switch name {
	case "@timestamp", "event.end", "process.start", "source_time":
		return Field{Name: name, Kind: Time}, nil
	case "folded":
		return Field{Name: name, Kind: Number}, nil
	case "row_id":
		return Field{Name: name, Kind: RowID}, nil
	}
	if f, ok := timeline.FieldByName(name); ok {
		return Field{name, kindOf(f), f}, nil
	}
	if p.opts.Extra == nil || slices.Contains(p.opts.Extra, name) {
		if guess := nearest(name, columns(), 2); p.opts.Extra != nil || guess == "" {
			return Field{Name: name, Kind: Extra}, nil
		}
	}
	guess := nearest(name, append(columns(), p.opts.Extra...), math.MaxInt)
	return Field{}, p.fail(at, "no field is called "+quote(name), guess)
}

// IsColumn tells whether every timeline knows the name.
func IsColumn(name string) bool { return slices.Contains(columns(), name) }

// Known refuses a name that no field of a timeline has whose fields without a
// column are extra, and says which one may have been meant.
func Known(name string, extra []string) error {
	if IsColumn(name) || slices.Contains(extra, name) {
		return nil
	}
	guess := nearest(name, append(columns(), extra...), math.MaxInt)
	if guess == "" {
		return fmt.Errorf("this timeline has no field %q", name)
	}
	return fmt.Errorf("this timeline has no field %q; did you mean %s?", name, guess)
}

// NamesExtra tells whether a query asks for a field without a column.
func NamesExtra(e timeline.Expr) bool {
	switch e := e.(type) {
	case *And:
		return slices.ContainsFunc(e.Terms, NamesExtra)
	case *Or:
		return slices.ContainsFunc(e.Terms, NamesExtra)
	case *Not:
		return NamesExtra(e.Term)
	case *Exists:
		return e.Field.Kind == Extra
	case *Match:
		return e.Field.Kind == Extra
	case *TextRange:
		return e.Field.Kind == Extra
	}
	return false
}

func kindOf(f timeline.Field) Kind {
	switch f {
	case timeline.SourceIP, timeline.DestinationIP, timeline.RelatedIP:
		return Address
	}
	switch f.Kind() {
	case timeline.Text:
		return Text
	case timeline.Long:
		return Number
	}
	return Keyword
}

// columns are all names that every timeline knows.
func columns() []string {
	names := []string{"@timestamp", "event.end", "process.start", "source_time", "folded", "row_id"}
	for f := range timeline.NumFields {
		names = append(names, f.Name())
	}
	return names
}

// nearest is the name with the fewest edits to another, at most limit and at
// most half of it, or one that ends with it (name for user.name); "" is none.
func nearest(name string, names []string, limit int) string {
	best, least := "", min(limit, len(name)/2)+1
	for _, n := range names {
		d := edits(strings.ToLower(name), strings.ToLower(n), least)
		if limit == math.MaxInt && strings.HasSuffix(n, "."+name) {
			d = min(d, 1)
		}
		if d < least {
			best, least = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance, or limit where it is not less.
func edits(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return min(row[len(b)], limit)
}
