package isolate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"amber/container/procfs"
	"amber/evidence/durable"
)

// The types of a journal's lines, in the order in which they come.
const (
	linePlan     = "plan"     // what is to be done; nothing is yet
	lineStep     = "step"     // a step is about to be taken
	lineOutcome  = "outcome"  // what became of it
	lineFinish   = "finish"   // the receipt
	lineVerify   = "verify"   // what Verify saw
	lineRevert   = "revert"   // undoing begins
	lineUndone   = "undone"   // what became of the undoing of a step
	lineReverted = "reverted" // undoing ended; without errors, all is undone
)

// line is one line of journal/NNNN-METHOD.jsonl.
type line struct {
	Type    string    `json:"type"`
	Time    time.Time `json:"time"`
	Holder  *Process  `json:"holder,omitempty"` // of plan and revert: who does it
	Plan    *Plan     `json:"plan,omitempty"`
	Step    *Step     `json:"step,omitempty"`
	Outcome *Outcome  `json:"outcome,omitempty"`
	Receipt *Receipt  `json:"receipt,omitempty"`
	Checks  []Check   `json:"checks,omitempty"`
	Errs    []string  `json:"errors,omitempty"`
}

// Prepare has package json learn the types of a journal, which may be done
// while the target is looked up: they are needed right before the first step.
func Prepare() {
	_, _ = json.Marshal(line{Holder: &Process{}, Plan: &Plan{Steps: []Step{{}}}, Step: &Step{}})
	_, _ = json.Marshal(Hold{})
}

// Process names a process of this host, and of no other boot of it.
type Process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot
	Boot  string `json:"boot"`
}

// Alive reports whether the process still runs.
func (p Process) Alive() bool { return p.Boot == procfs.BootID() && procfs.Alive(p.PID, p.Start) }

func self() Process {
	pid := procfs.Self()
	s, _ := procfs.ReadStat(pid)
	return Process{PID: pid, Start: s.Start, Boot: procfs.BootID()}
}

// Journal is one application's write-ahead log in a case. Its methods may be
// called from several goroutines at once.
type Journal struct {
	mu      sync.Mutex
	f       *durable.File
	pending *durable.Batch // what must reach the disk with the first step; nil from then on
	judge   func() error   // whether steps may be taken at all; nil where that is known
	flushed func() error   // waits for a flush that goes on beside a volatile step
}

// Begin starts a new journal in caseDir. The plan is on the disk no later than
// the first step, and so is all that is pending.
func Begin(caseDir string, p Plan, pending *durable.Batch) (*Journal, error) {
	dir := filepath.Join(caseDir, "journal")
	if err := pending.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w", err)
	}
	f, err := createNext(dir, p.Method)
	if err != nil {
		return nil, fmt.Errorf("making a journal: %w", err)
	}
	j := &Journal{f: f, pending: pending}
	me := self()
	err = errors.Join(j.write(line{Type: linePlan, Holder: &me, Plan: &p}), pending.Dir(dir))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// createNext makes the file with the next free number. Another process may
// take the number first.
func createNext(dir, method string) (*durable.File, error) {
	for {
		names, err := journalFiles(dir)
		if err != nil {
			return nil, err
		}
		next := 1
		if len(names) > 0 {
			next = number(names[len(names)-1]) + 1
		}
		f, err := durable.Create(filepath.Join(dir, fmt.Sprintf("%04d-%s.jsonl", next, method)))
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// reopen opens a journal that another process may have left, with a torn last
// line perhaps: what follows begins on a line of its own.
func reopen(path string) (*Journal, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	f, err := durable.Append(path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err == nil && len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		_, err = f.Write([]byte("\n"))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Journal{f: f}, nil
}

// Path is the journal's file.
func (j *Journal) Path() string { return j.f.File.Name() }

// Intend puts steps on the disk before they are taken. Where all of them are
// Volatile the disk is told and not waited for before the next line: a process
// that dies loses nothing of what it wrote, and what else could lose it undoes
// the step.
func (j *Journal) Intend(steps ...Step) error {
	lines := make([]line, len(steps))
	for i := range steps {
		lines[i] = line{Type: lineStep, Step: &steps[i]}
	}
	put := j.append
	if !slices.ContainsFunc(steps, func(s Step) bool { return !s.Volatile }) {
		put = j.appendSoon
	}
	if err := put(lines...); err != nil || j.judge == nil {
		return err
	}
	refused := j.judge()
	if refused == nil {
		return nil
	}
	for i := range steps {
		lines[i] = line{Type: lineOutcome, Outcome: &Outcome{ID: steps[i].ID, Note: "not taken: refused"}}
	}
	return errors.Join(refused, j.append(lines...))
}

// Done records what became of a step.
func (j *Journal) Done(o Outcome) error { return j.append(line{Type: lineOutcome, Outcome: &o}) }

// Finish records the receipt.
func (j *Journal) Finish(r Receipt) error { return j.append(line{Type: lineFinish, Receipt: &r}) }

// Close closes the file.
func (j *Journal) Close() error { return errors.Join(j.settled(), j.f.Close()) }

// append writes lines in one go and syncs them, and what is pending.
func (j *Journal) append(lines ...line) error {
	earlier := j.settled()
	if err := j.write(lines...); err != nil {
		return errors.Join(earlier, err)
	}
	return errors.Join(earlier, j.sync())
}

// appendSoon is append that leaves the flush to go on beside what comes next.
func (j *Journal) appendSoon(lines ...line) error {
	earlier := j.settled()
	if err := j.write(lines...); err != nil {
		return errors.Join(earlier, err)
	}
	wait := durable.Beside(j.sync)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.flushed = wait
	return earlier
}

// settled waits for the flush that goes on, and says once what became of it.
func (j *Journal) settled() error {
	j.mu.Lock()
	wait := j.flushed
	j.flushed = nil
	j.mu.Unlock()
	if wait == nil {
		return nil
	}
	return wait()
}

func (j *Journal) sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := j.pending
	j.pending = nil
	if err := errors.Join(first.File(j.f), first.Sync()); err != nil {
		return fmt.Errorf("syncing %s: %w", j.Path(), err)
	}
	return nil
}

func (j *Journal) write(lines ...line) error {
	var buf bytes.Buffer
	for _, l := range lines {
		l.Time = time.Now().UTC()
		data, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("writing a %s to the journal: %w", l.Type, err)
		}
		buf.Write(append(data, '\n'))
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.f.Write(buf.Bytes()); err != nil {
		return fmt.Errorf("writing to the journal: %w", err)
	}
	return nil
}

// journalFiles are the names of the journals in dir, by number.
func journalFiles(dir string) ([]string, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range all {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".jsonl") && number(e.Name()) > 0 {
			names = append(names, e.Name())
		}
	}
	sortByNumber(names)
	return names, nil
}

// number is NNNN of NNNN-METHOD.jsonl, 0 of anything else.
func number(name string) int {
	digits, _, _ := strings.Cut(name, "-")
	n, _ := strconv.Atoi(digits)
	return n
}
