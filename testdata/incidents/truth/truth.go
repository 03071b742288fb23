// Package truth is the form in which an incident's folder says what happened in it.
package truth

import (
	"strings"
	"time"
)

// Truth is what happened in an incident, known from its making.
type Truth struct {
	Title     string            `json:"title"`
	From      time.Time         `json:"from"` // of the record: whole minutes
	To        time.Time         `json:"to"`
	Synthetic []string          `json:"synthetic"` // data sets that nobody has recorded
	Facts     map[string]string `json:"facts"`     // names and addresses
	Steps     []Step            `json:"steps"`     // in order
	Links     []Link            `json:"links"`
}

// Step is something that was done.
type Step struct {
	ID        string    `json:"id"`
	Did       string    `json:"did"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Tactic    string    `json:"tactic,omitempty"` // as ATT&CK abbreviates it; empty of what is no attack
	Technique string    `json:"technique,omitempty"`
	Actor     string    `json:"actor"`
	Target    string    `json:"target"`
	Seen      []Trace   `json:"seen"` // by which sources
}

// Trace is how a source shows a step.
type Trace struct {
	Dataset string `json:"dataset"`
	Query   string `json:"query"` // its rows, within the step's time
	Rows    int    `json:"rows"`  // at least so many
}

// Link is what belongs together across sources, and must be found.
type Link struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
	From string `json:"from"` // a query for rows of the one end
	To   string `json:"to"`   // and of the other
	Why  string `json:"why"`  // what they have in common

	// Both name an entity of this kind, or ones that are joined by a link so
	// called, in the words of package correlate.
	Shared  string `json:"shared,omitempty"`
	Through string `json:"through,omitempty"`
}

// With is the step with {name} replaced by what is so called.
func (s Step) With(facts map[string]string) Step {
	r := replacer(facts)
	s.Actor, s.Target, s.Did = r.Replace(s.Actor), r.Replace(s.Target), r.Replace(s.Did)
	seen := make([]Trace, len(s.Seen))
	for i, t := range s.Seen {
		t.Query = r.Replace(t.Query)
		seen[i] = t
	}
	s.Seen = seen
	return s
}

// With is the link with {name} replaced by what is so called.
func (l Link) With(facts map[string]string) Link {
	r := replacer(facts)
	l.From, l.To = r.Replace(l.From), r.Replace(l.To)
	return l
}

func replacer(facts map[string]string) *strings.Replacer {
	var pairs []string
	for name, value := range facts {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...)
}
