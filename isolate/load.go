package isolate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxJournal bounds what is read of one journal. A real one has some kilobytes.
const maxJournal = 64 << 20

// State is how far an application has come.
type State string

const (
	Planned  State = "planned"  // nothing was changed yet
	Applying State = "applying" // begun and not finished: in the works, or amber died
	Held     State = "held"     // the target is isolated
	Released State = "released" // all is undone, or nothing was changed
	Failed   State = "failed"   // it could not be done; nothing is changed
)

// Entry is one application as its journal tells it.
type Entry struct {
	ID       string    `json:"id"`   // NNNN-METHOD
	Case     string    `json:"case"` // absolute path
	File     string    `json:"file"` // the journal
	State    State     `json:"state"`
	Holder   Process   `json:"holder"` // who applied it
	Receipt  Receipt   `json:"receipt"`
	Checks   []Check   `json:"checks,omitempty"` // of the last Verify
	Undone   []Outcome `json:"undone,omitempty"` // of the last revert
	Begun    time.Time `json:"begun,omitzero"`
	Released time.Time `json:"released,omitzero"`
	Notes    []string  `json:"notes,omitempty"` // what is odd about the journal
}

// Crashed reports whether the entry was left half done by a process that is
// no more.
func (e Entry) Crashed() bool { return e.State == Applying && !e.Holder.Alive() }

// Load reads the journals of a case, oldest first. A case without any gives
// none. What cannot be read in one becomes a note of its entry.
func Load(caseDir string) ([]Entry, error) {
	dir := filepath.Join(caseDir, "journal")
	names, err := journalFiles(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the journals: %w", err)
	}
	var entries []Entry
	for _, name := range names {
		e, err := LoadFile(filepath.Join(dir, name))
		if err != nil {
			return entries, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// LoadFile reads one journal.
func LoadFile(path string) (Entry, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Entry{}, err
	}
	f, err := os.Open(path)
	if err != nil {
		return Entry{}, fmt.Errorf("reading a journal: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxJournal+1))
	if err != nil {
		return Entry{}, fmt.Errorf("reading the journal %s: %w", path, err)
	}
	if len(data) > maxJournal {
		return Entry{}, fmt.Errorf("the journal %s is larger than %d bytes", path, maxJournal)
	}
	e := parse(data)
	e.File, e.Case = path, filepath.Dir(filepath.Dir(path))
	e.ID = strings.TrimSuffix(filepath.Base(path), ".jsonl")
	return e, nil
}

// reading is an entry in the making.
type reading struct {
	Entry
	finished, reverting, reverted bool
}

// parse reads a journal's lines. A last line without its end was torn by a
// crash: it is left out, and so said.
func parse(data []byte) Entry {
	var r reading
	n := 0
	for text := range bytes.Lines(data) {
		n++
		var l line
		whole := bytes.HasSuffix(text, []byte("\n"))
		text = bytes.TrimSpace(text)
		switch {
		case len(text) == 0:
		case !whole:
			r.note("line %d, the last, is torn and was left out", n)
		case json.Unmarshal(text, &l) != nil:
			r.note("line %d cannot be read and was left out", n)
		case !r.take(l):
			r.note("line %d has the type %q, or lacks what belongs to it, and was left out", n, l.Type)
		}
	}
	r.State = r.state()
	if r.reverting && !r.reverted {
		r.note("a release was begun and not finished")
	}
	return r.Entry
}

func (r *reading) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// take adds one line to the entry; false means that it makes no sense.
func (r *reading) take(l line) bool {
	rc := &r.Receipt
	switch {
	case l.Type == linePlan && l.Plan != nil:
		rc.Plan, rc.Start, r.Begun = *l.Plan, l.Time, l.Time
		if l.Holder != nil {
			r.Holder = *l.Holder
		}
	case l.Type == lineStep && l.Step != nil:
		rc.Steps = append(rc.Steps, *l.Step)
	case l.Type == lineOutcome && l.Outcome != nil:
		rc.Outcomes = append(rc.Outcomes, *l.Outcome)
	case l.Type == lineFinish && l.Receipt != nil:
		rc.Start, rc.End, rc.Errs = l.Receipt.Start, l.Receipt.End, l.Receipt.Errs
		r.finished = true
	case l.Type == lineVerify:
		r.Checks = l.Checks
	case l.Type == lineRevert:
		r.Undone, r.reverting, r.reverted = nil, true, false
	case l.Type == lineUndone && l.Outcome != nil:
		r.Undone = append(r.Undone, *l.Outcome)
	case l.Type == lineReverted:
		r.reverted = len(l.Errs) == 0
		r.reverting = r.reverted
		if r.reverted {
			r.Released = l.Time
		}
	default:
		return false
	}
	return true
}

func (r *reading) state() State {
	switch {
	case r.finished && !r.Receipt.Changed() && len(r.Receipt.Errs) > 0:
		return Failed
	case r.reverted, r.finished && !r.Receipt.Changed():
		return Released
	case r.finished:
		return Held
	case len(r.Receipt.Steps) > 0:
		return Applying
	}
	return Planned
}

func sortByNumber(names []string) {
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a, b))
	})
}
