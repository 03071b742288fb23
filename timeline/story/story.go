// Package story tells one intrusion in order: what rules found, and what stands
// out by itself, joined by the entities that it is about, from initial access to
// impact. Every sentence has the rows that it rests on. What a record says is
// told as it is; what is concluded says how sure it is, and why.
package story

import (
	"context"
	"fmt"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// Story is one intrusion. Its texts are as the evidence has them: the writers
// of this package make them safe.
type Story struct {
	Title      string
	From       string // what it was asked to start from, "" for what is worst
	Begin, End timeline.Time
	Actors     []Party
	Targets    []Party
	Sections   []Section // in the order of ATT&CK's tactics
	Apart      []Apart   // what is not part of it
	Notes      []string  // bounds that were met, and what was not there to be read
}

// Party is who acted, or what was acted on.
type Party struct {
	correlate.Ref
	Count int64 // events
}

// Section is what serves one tactic.
type Section struct {
	Tactic    string // as ATT&CK abbreviates it
	Name      string
	Sentences []Sentence
}

// Sentence says one thing.
type Sentence struct {
	Text        []Run
	Sure        correlate.Sure // that it happened
	Because     string         // of what joins several records: by what it is known
	Tie         string         // why it is only possibly part of the story
	Level       detect.Level
	Techniques  []string
	Rules       []string // titles of the rules that found it
	Findings    []string // their ids
	First, Last timeline.Time
	Count       int64            // rows that it rests on
	Rows        []timeline.RowID // the first of them
	Raw         []Raw            // what proves the first of these
	actor       correlate.Ref
	target      correlate.Ref
}

// Run is a part of a sentence; Kind is set where it names an entity, Code where
// it is a command or a path.
type Run struct {
	Text string
	Kind correlate.Kind
	Code bool
}

// Raw is a part of a raw file that proves a row.
type Raw struct {
	File   string // SHA-256 as it lies on the disk
	Path   string // where it was read
	Ranges []timeline.Range
}

// Apart counts what does not belong to the story.
type Apart struct {
	What   string
	Events int64
	First  timeline.Time
	Last   timeline.Time
	Level  detect.Level
}

// Options of Tell.
type Options struct {
	// From is an entity ("pod:shop/web-0", "user.name:mallory", "mallory") or the
	// id of a finding; "" starts from what is worst.
	From string
	// Findings calls its argument with what rules found, and stops at its error;
	// nil where none were run. Those with Suppressed set are only counted.
	Findings func(ctx context.Context, each func(*detect.Finding) error) error
}

// ErrUnknown is what the error of Tell is where From names nothing, or several
// things.
type ErrUnknown struct {
	From  string
	Could []string // what it could mean
}

func (e *ErrUnknown) Error() string {
	if len(e.Could) > 0 {
		return fmt.Sprintf("%q could be several things", e.From)
	}
	return fmt.Sprintf("%q is no entity of this timeline, and no finding", e.From)
}

// Tell makes the story of a timeline of which g is the graph.
func Tell(ctx context.Context, s timeline.Store, g *correlate.Graph, o Options) (*Story, error) {
	t := &teller{ctx: ctx, store: s, graph: g, book: newBook(), found: map[timeline.RowID][]*found{}}
	if err := t.readFindings(o.Findings); err != nil {
		return nil, fmt.Errorf("reading the findings: %w", err)
	}
	if err := t.collect(); err != nil {
		return nil, fmt.Errorf("collecting what stands out: %w", err)
	}
	start, err := t.start(o.From)
	if err != nil {
		return nil, err
	}
	groups := t.cluster()
	chosen, err := t.choose(groups, start)
	if err != nil {
		return nil, err
	}
	st := &Story{From: o.From, Notes: t.notes()}
	t.write(st, chosen, groups)
	t.prove(st)
	return st, nil
}

// teller is a story in the making.
type teller struct {
	ctx      context.Context
	store    timeline.Store
	graph    *correlate.Graph
	book     *book
	found    map[timeline.RowID][]*found
	findings int
	quiet    int64 // suppressed findings
	past     int64 // findings beyond the bound
	untold   int64 // events of the story's steps that are too many to tell
	own      response
}
