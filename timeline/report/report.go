// Package report writes what is known of a case for people who were not there:
// one HTML page, and the draft of a written certification.
//
// Whoever calls it gathers the facts; here they are only set out. Every text of
// a Page may be the attacker's: it is made safe here, and nowhere else.
package report

import (
	"time"

	"amber/timeline/story"
)

// Page is what a report tells. Times are UTC; sizes are bytes.
type Page struct {
	Case    string // its id
	Title   string
	Dir     string
	Created time.Time
	Made    time.Time // the report
	By      string    // who had it made, as the system knows him
	Tool    string    // name, version
	ToolSum string    // SHA-256 of its binary, hex

	Verdict    string
	Exit       int
	Areas      []Area
	OwnSigners bool     // the case itself said who may sign, and nobody else
	NoReceipt  bool     // no receipt of the custody log was at hand
	Signers    []string // who may sign in this case

	Bundles  []Bundle
	Custody  Custody
	Measures []Measure
	Timeline *Timeline
	Findings []Finding
	Left     int64 // findings that are not listed
	Story    *story.Story
	NoStory  string // why there is none
	Joined   []Joined
}

// Area is a line of the check: what was looked at, and what came of it.
type Area struct {
	Word, What, Checked, Result string
}

// Bundle is an acquisition.
type Bundle struct {
	ID, State, Digest, Root string
	Record                  string // file of the acquisition record in the bundle
	Target, Image, Runtime  string
	Host, Kernel, BootID    string
	Clock                   string
	Tool, ToolSum, Actor    string
	Argv                    []string
	Start, End              time.Time
	Frozen                  string
	Steps                   []Step
	Alterations             []string
	Members, Misses         int64
	Plain, Stored           int64
	Signatures              []Signature
	Times                   []Stamp
	Wanting                 []Miss // what could not be had
	MoreMisses              int64
	Noted                   []Miss // what was had, with what was odd about it
	MoreNoted               int64
	Files                   []File // of SHA256SUMS
	Problems                []string
	Error                   string // why its record could not be read
}

// Unread tells that nothing is known of the acquisition: what is empty here is
// then no fact.
func (b Bundle) Unread() bool { return b.Error != "" && b.Record == "" }

// Step is what one collector did.
type Step struct {
	Name            string
	Start, End      time.Time
	Members, Misses int64
	Bytes           int64
	Error           string
}

// Signature is one of a seal.
type Signature struct {
	File, Who, Fingerprint string
	Known                  bool
}

// Stamp is a time-stamp of an authority.
type Stamp struct {
	File, Over, Authority string
	Time                  time.Time
	Trusted               bool
	Doubt                 string
}

// Miss is a member and what there is to say of it.
type Miss struct{ Path, What string }

// File is a file of a bundle.
type File struct{ Name, SHA256 string }

// Custody is the custody log.
type Custody struct {
	State   string
	Head    string // hash of its last entry
	Entries []Entry
	Looks   int // entries that are only looks into evidence, which are not listed
}

// Entry is an entry of it.
type Entry struct {
	Sequence                         int64
	Time                             time.Time
	Who, Action, Bundle, What, Proof string
}

// Measure is something that was done to the target.
type Measure struct {
	ID, Method, Target, State string
	Begun, Released           time.Time
	Steps                     []Done
	Checks                    []Done
	Warnings                  []string
	Journal                   string
}

// Done is a step, or a check, and its outcome.
type Done struct {
	What, Undo, Outcome string
	Failed              bool
}

// Timeline is what the timeline is made of.
type Timeline struct {
	Generation, Rows, References int64
	Sources                      []Source
	Missing                      []string
}

// Source is one raw file.
type Source struct {
	Name, Path, SHA256, Where string
	Size                      int64
}

// Finding is what a rule found.
type Finding struct {
	ID, Title, Level, Rule string
	Techniques             []string
	First, Last            time.Time
	Count                  int64
	Entities               []string
	Output                 string
	Rows                   []string
	Raw                    []string // the raw records of these: file and range
	Suppressed             string
}

// Joined is a case that was merged into this one.
type Joined struct {
	Case     string
	Sequence int64
	Hash     string
	State    string
}
