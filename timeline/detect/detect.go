// Package detect says what happened: it evaluates rules on the events of a
// timeline and keeps what they found.
//
//	sigma, falco   rule files → Matchers and Correlations
//	fields         an event and its raw record → the values that rules name
//	rules          amber's own pack, in Sigma form
//
// A rule of single events is evaluated while a log is read, and again over the
// kept raw records whenever there are new rules; both give the same findings. A
// Correlation is evaluated over what the single rules matched, sorted by time
// and without repetitions, so that the order in which files were added does not
// matter.
package detect

import (
	"strings"
	"time"

	"amber/timeline"
)

// Rule is what is known of a rule, whatever its language. Texts are as its
// author wrote them: they are made safe by whoever prints them.
type Rule struct {
	ID          string // unique among those that are loaded
	Name        string // by which correlations may refer to it; may be empty
	Title       string
	Description string
	Author      string
	License     string
	Status      string
	Level       Level
	Techniques  []string // MITRE ATT&CK: "T1611", "T1552.007"
	Tactics     []string // as ATT&CK abbreviates them: "privilege-escalation"
	References  []string
	FalsePos    []string
	Response    string // what to do about a finding; amber's own rules say it
	Language    string // "sigma" or "falco"
	Path        string // the file, and the line at which the rule begins
	Line        int
}

// Level is how bad a finding is.
type Level uint8

// The levels of Sigma. Falco's priorities from Emergency to Debug are mapped on
// them.
const (
	Informational Level = iota
	Low
	Medium
	High
	Critical
)

var levels = [...]string{"informational", "low", "medium", "high", "critical"}

func (l Level) String() string { return levels[l] }

// ParseLevel reads a level's name.
func ParseLevel(s string) (Level, bool) {
	for i, name := range levels {
		if strings.EqualFold(s, name) {
			return Level(i), true
		}
	}
	return 0, false
}

// Kind is what a value was in its record.
type Kind uint8

// The kinds of values. A source that is no JSON has Strings, and Numbers where
// a column is one.
const (
	String Kind = iota
	Number
	Bool
	Null
	Composite // an object or a list, its text as JSON
)

// Value is one value of a field. Text is borrowed until the View goes on to
// its next event; a String has no escapes any more.
type Value struct {
	Kind Kind
	Text []byte
}

// View is one event as rules see it: its columns, and the fields of its raw
// record under the names that the vendor gave them. Package fields has one for
// every source. It is used by one goroutine.
type View interface {
	// Event is the row; of it and of its slices nothing may be kept.
	Event() *timeline.Event
	// Raw is the record that gave it, as it was read; of a joined event the
	// records one after another, each with a newline.
	Raw() []byte
	// Values appends the values of a field to dst. The name is a dotted path
	// into the record ("requestParameters.bucketName", "objectRef.subresource"),
	// where a list stands for each of its elements, or of a record that is no
	// JSON whatever its format calls its fields. A field that is there and empty
	// or null has one value; one that is absent has none.
	Values(dst []Value, path string) []Value
	// Column appends the values of a field by its name in the timeline, of those
	// with a column and of those without: "process.command_line".
	Column(dst []Value, name string) []Value
}

// Require is a necessary condition: no event matches of which the field has
// none of these values. Values are compared without regard to case. Without
// values the field must be there; with Part one of them is a part of its text.
type Require struct {
	Field  string // as Logsource.Dataset's View knows it
	Column bool   // it is a field of the timeline (View.Column), not of the record
	Values []string
	Part   bool
}

// Matcher is a compiled rule of single events. It may be used by several
// goroutines, each with a View of its own.
type Matcher interface {
	Rule() *Rule
	// Datasets are those whose events it can match, in order.
	Datasets() []string
	// Requires are necessary conditions by which the rule is indexed; none where
	// every event of its datasets has to be looked at.
	Requires() []Require
	Match(View) bool
	// Output is what the rule says of an event that it matches; empty where its
	// language has no such text. It holds evidence: it is made safe by whoever
	// prints it.
	Output(View) string
}

// Requirer is the further power of a Matcher to tell what is necessary in one of
// its datasets, which is at least what is necessary in all.
type Requirer interface {
	RequiresOf(dataset string) []Require
}

// Problem is why a rule, or a file of rules, cannot be used, or what is doubtful
// in it. Its texts are safe to print.
type Problem struct {
	Path     string   `json:"path"`
	Line     int      `json:"line,omitempty"`
	Rule     string   `json:"rule,omitempty"` // its id or name
	Severity Severity `json:"severity"`
	Reason   string   `json:"reason"`
	Fields   []string `json:"fields,omitempty"` // that no source here can give
}

// Severity says what became of the rule.
type Severity string

// What a Problem means.
const (
	Invalid      Severity = "invalid"       // it is not used: the rule is wrong
	NotEvaluable Severity = "not evaluable" // it is not used: it needs what no source here can give
	Doubtful     Severity = "doubtful"      // it is used
)

// Rules is what was read of some files.
type Rules struct {
	Matchers     []Matcher
	Correlations []*Correlation
	Problems     []Problem
}

// Correlation is a Sigma correlation rule: it counts or orders what other rules
// match (https://github.com/SigmaHQ/sigma-specification, version 2.1).
type Correlation struct {
	Rule     Rule
	Kind     string                       // event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile
	Of       []string                     // ids or names of rules, correlations among them
	GroupBy  []string                     // fields or aliases
	Aliases  map[string]map[string]string // alias → rule → field
	Span     time.Duration
	Field    []string // whose values are counted, summed, …
	Percent  float64  // of value_percentile
	Op       string   // gt, gte, lt, lte, eq, neq
	Value    float64
	Also     []Bound // of a range ("gt: 100, lte: 200") what holds besides; mostly none
	Generate bool    // the rules that it refers to give findings of their own too
}

// Bound is a comparison of a correlation's number.
type Bound struct {
	Op    string
	Value float64
}

// FieldReader is the further power of a Matcher whose rules have names of their
// own for fields: it appends the values of a field that a Correlation groups by,
// counts or compares, as the rule itself would have read it.
type FieldReader interface {
	Field(dst []Value, v View, name string) []Value
}

// Finding is what a rule found.
type Finding struct {
	ID         string            `json:"id"` // over the rule's id and the rows
	RuleID     string            `json:"rule_id"`
	Title      string            `json:"title"`
	Author     string            `json:"author,omitempty"`
	License    string            `json:"license,omitempty"`
	Level      string            `json:"level"`
	Techniques []string          `json:"techniques,omitempty"`
	Tactics    []string          `json:"tactics,omitempty"`
	Time       timeline.Time     `json:"-"`                  // of its first event
	End        timeline.Time     `json:"-"`                  // of its last
	Rows       []timeline.RowID  `json:"-"`                  // sorted by time
	Entities   []string          `json:"entities,omitempty"` // "user.name:mallory"
	Output     string            `json:"output,omitempty"`
	Group      map[string]string `json:"group,omitempty"`      // of a correlation
	Suppressed string            `json:"suppressed,omitempty"` // why

	Count int64             `json:"count"` // events; of very many Rows are the first ones
	Raw   []timeline.RawRef `json:"-"`     // the records that prove the rows, by the numbers of the timeline's raw files
	Rule  *Rule             `json:"-"`     // which is shared
}
