// Package query is the query language of a timeline: the Lucene query string
// form that users of OpenSearch and Timesketch type (docs/query.md), parsed
// into expressions that a store evaluates column by column.
package query

import (
	"strings"

	"amber/timeline"
)

// Kind is how the values of a field compare.
type Kind uint8

// The kinds of fields.
const (
	Any     Kind = iota // no field: all keywords, texts and values of the rest
	Keyword             // the whole value, case counts
	Text                // what it contains, case does not count
	Number
	Time
	Address // a keyword that is an IP address
	Extra   // a field without a column: as a keyword
	RowID
)

// Field is a field as a query names it.
type Field struct {
	Name   string
	Kind   Kind
	Column timeline.Field // of a field with a column
}

// All matches every row.
type All struct{}

// And matches what all terms match.
type And struct{ Terms []timeline.Expr }

// Or matches what any term matches.
type Or struct{ Terms []timeline.Expr }

// Not matches what its term does not, rows without the field among them.
type Not struct{ Term timeline.Expr }

// Exists matches rows that have the field.
type Exists struct{ Field Field }

// Match matches rows of which a value of the field fits the pattern.
type Match struct {
	Field   Field
	Pattern *Pattern
}

// TimeRange matches From ≤ t < To; either may be timeline.NoTime for no bound.
type TimeRange struct {
	Field    Field
	From, To timeline.Time
}

// NumberRange matches Lo ≤ n ≤ Hi.
type NumberRange struct {
	Field  Field
	Lo, Hi int64
}

// TextRange matches values between two bounds: as addresses where both are,
// as numbers in fields without a column where both are, byte by byte otherwise.
type TextRange struct {
	Field  Field
	Lo, Hi Bound

	parse  func([]byte) (key, bool) // nil compares byte by byte
	lo, hi key
}

// Bound is one end of a range.
type Bound struct {
	Text      string
	Open      bool // no bound
	Inclusive bool
}

func (All) String() string { return "*" }

func (e *And) String() string { return joined(e.Terms, " AND ") }

func (e *Or) String() string { return joined(e.Terms, " OR ") }

func (e *Not) String() string { return "NOT " + inner(e.Term) }

func (e *Exists) String() string { return "_exists_:" + quoteName(e.Field.Name) }

func (e *Match) String() string { return prefix(e.Field) + e.Pattern.String() }

func (e *TimeRange) String() string {
	return prefix(e.Field) + "[" + formatTime(e.From) + " TO " + formatTime(e.To) + "}"
}

func (e *TextRange) String() string {
	open, end := "{", "}"
	if e.Lo.Inclusive {
		open = "["
	}
	if e.Hi.Inclusive {
		end = "]"
	}
	return prefix(e.Field) + open + e.Lo.String() + " TO " + e.Hi.String() + end
}

func (b Bound) String() string {
	if b.Open {
		return "*"
	}
	return quote(b.Text)
}

func joined(terms []timeline.Expr, by string) string {
	parts := make([]string, len(terms))
	for i, t := range terms {
		parts[i] = inner(t)
	}
	return strings.Join(parts, by)
}

// inner puts what is composed in parentheses.
func inner(e timeline.Expr) string {
	switch e.(type) {
	case *And, *Or:
		return "(" + e.String() + ")"
	}
	return e.String()
}

func prefix(f Field) string {
	if f.Kind == Any {
		return ""
	}
	return quoteName(f.Name) + ":"
}
