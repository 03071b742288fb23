// Package fetch pulls logs from where a vendor keeps them into a case: one call
// after the other, each answer kept as it came, with its SHA-256, so that the
// sources read it afterwards and anybody can hash it again.
//
//	fetched/ID/request.json   what was asked for, as whom and of whom
//	fetched/ID/cursor.jsonl   one line for each answer: its file, digest, and where to go on
//	fetched/ID/raw/           answers with records: what the timeline is built of
//	fetched/ID/asked/         answers that only tell what else to ask for
//	fetched/ID/superseded/    answers of a walk that the server had forgotten half way
//
// An answer counts when its line in the cursor is on the disk. What a killed
// fetch left beyond that is removed when it goes on, and asked for again:
// nothing is there twice, and nothing is left out.
package fetch

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Folders below a fetch's own.
const (
	Raw        = "raw"
	Asked      = "asked"
	superseded = "superseded"
)

// Origin is what logs are pulled from.
type Origin interface {
	// Plan says what would be called, without calling.
	Plan() Plan
	// Step makes the call that follows a state (nil: the first) and writes the
	// answer to w as it came. After an error that is tried again w starts anew.
	// ErrForgotten says that the state's walk cannot be gone on with.
	Step(ctx context.Context, state json.RawMessage, kept Kept, w io.Writer) (Step, error)
}

// Kept gives an answer of this fetch that was kept before, by its name.
type Kept func(name string) ([]byte, error)

// Step is one call that was answered.
type Step struct {
	File    string          // the answer's name, raw/… or asked/…; empty: nothing is kept
	Call    string          // what was asked, without credentials
	Answer  string          // the server's own id for it, where it gives one
	Records int64           // in the answer, where they can be counted
	Skipped int64           // that were seen and not asked for: outside of the time
	Misses  []string        // what could not be had, and why
	State   json.RawMessage // where to go on
	Walk    string          // answers of one walk, which hang together by a token of the server's
	Done    bool            // there is nothing more
}

// ErrForgotten says that a server does not know its own page token any more.
// The walk's answers are put aside, and it is begun again from Restart.
var ErrForgotten = errors.New("the server has forgotten where its pages go on")

// Forgotten is an ErrForgotten that says where to begin again.
type Forgotten struct {
	Walk    string
	Restart json.RawMessage
	Err     error
}

func (e *Forgotten) Error() string { return ErrForgotten.Error() + ": " + e.Err.Error() }

// Unwrap gives ErrForgotten and what the server said.
func (e *Forgotten) Unwrap() []error { return []error{ErrForgotten, e.Err} }

// Plan is what a fetch would call, and which rights that needs.
type Plan struct {
	Origin      string    `json:"origin"` // aws, gcp, azure, kube
	Since       time.Time `json:"since"`
	Until       time.Time `json:"until"`
	Server      string    `json:"server"` // who is asked
	As          string    `json:"as,omitempty"`
	Calls       []Call    `json:"calls"`
	Permissions []string  `json:"permissions"`
	Notes       []string  `json:"notes,omitempty"` // what the answers will not have
}

// Call is a call of a plan.
type Call struct {
	Call string `json:"call"`
	Why  string `json:"why"`
	Rate string `json:"rate,omitempty"` // at most
}

// Request is what was asked for. Since and Until are as they were given; a
// fetch is gone on with when they and all Options are the same.
type Request struct {
	Origin  string            `json:"origin"`
	Since   string            `json:"since"`
	Until   string            `json:"until"` // empty: the moment when it began
	Options map[string]string `json:"options,omitempty"`
}

// Span is the time that is asked for, both ends within.
type Span struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}

// Report is what a fetch did, over all its runs.
type Report struct {
	ID       string   `json:"id"`
	Dir      string   `json:"dir"`
	Span     Span     `json:"span"`
	Resumed  bool     `json:"resumed"`  // went on with one that was cut off
	Complete bool     `json:"complete"` // to the end
	Calls    int64    `json:"calls"`
	Files    int64    `json:"files"` // raw ones
	Bytes    int64    `json:"bytes"`
	Records  int64    `json:"records"`
	Skipped  int64    `json:"skipped"`
	Again    int64    `json:"tried_again"` // calls of this run, after throttling or a broken connection
	Put      int64    `json:"superseded"`  // answers that were put aside
	Misses   []string `json:"misses,omitempty"`
	Missed   int64    `json:"missed"`
}

// maxMisses bounds how many are named; all are counted, and all are in the cursor.
const maxMisses = 100

func (r *Report) add(l line) {
	r.Calls++
	if l.File != "" {
		r.Files++
		r.Bytes += l.Size
	}
	r.Records += l.Records
	r.Skipped += l.Skipped
	r.Missed += int64(len(l.Misses))
	r.Misses = append(r.Misses, l.Misses...)
	r.Misses = r.Misses[:min(len(r.Misses), maxMisses)]
	r.Complete = l.Done
}
