package isolate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"amber/evidence/durable"
)

// defaultHolds is the host's index of what amber holds. Root owns it, so what
// it says is believed.
const defaultHolds = "/var/lib/amber/holds"

// Hold is one line of the host's index: what is held, and where its journal
// is. It carries the plan too, so that the target can be released even when
// the case is gone.
type Hold struct {
	File    string    `json:"-"` // the index file itself
	Case    string    `json:"case"`
	Journal string    `json:"journal"`
	Since   time.Time `json:"since"`
	Holder  Process   `json:"holder"`
	Plan    Plan      `json:"plan"`
	Err     string    `json:"-"` // why the file could not be read; the rest is then empty
}

// HeldError says that a target is held already.
type HeldError struct {
	Hold Hold
}

func (e *HeldError) Error() string {
	h := e.Hold
	if h.Case == "" {
		return "another amber is at work on this target"
	}
	when := "since " + h.Since.Format(time.RFC3339)
	if h.Holder.Boot != self().Boot {
		when += ", before the last reboot"
	}
	return fmt.Sprintf("%s is held already by %s (%s, case %s); release that first",
		strings.Join(h.Plan.Refs, ", "), h.ID(), when, h.Case)
}

// ID is the journal's name within the case: NNNN-METHOD.
func (h Hold) ID() string { return strings.TrimSuffix(filepath.Base(h.Journal), ".jsonl") }

// Entry is the application that the hold is of. Where its journal cannot be
// read it is made from the index alone, which is enough to release it.
func (h Hold) Entry() Entry {
	e, err := LoadFile(h.Journal)
	if err == nil && len(e.Receipt.Plan.Steps) > 0 {
		return e
	}
	note := "its journal holds no plan: taken from the host's index"
	if err != nil {
		note = "its journal is lost (" + err.Error() + "): taken from the host's index"
	}
	return Entry{
		ID: h.ID(), Case: h.Case, File: h.Journal, State: Held, Holder: h.Holder, Begun: h.Since,
		Receipt: Receipt{Plan: h.Plan, Steps: h.Plan.Steps, Start: h.Since}, Notes: []string{note},
	}
}

// HoldsDir is where the index is: AMBER_HOLDS, or /var/lib/amber/holds.
func HoldsDir() string { return cmp.Or(os.Getenv("AMBER_HOLDS"), defaultHolds) }

// Holds reads the host's index, oldest first.
func Holds() ([]Hold, error) {
	dir := HoldsDir()
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the index of holds: %w", err)
	}
	var holds []Hold
	for _, f := range files {
		if !f.Type().IsRegular() || !strings.HasSuffix(f.Name(), ".json") {
			continue
		}
		h, err := readHold(filepath.Join(dir, f.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			h.Err = err.Error()
		}
		holds = append(holds, h)
	}
	slices.SortStableFunc(holds, func(a, b Hold) int { return a.Since.Compare(b.Since) })
	return holds, nil
}

func readHold(path string) (Hold, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Hold{File: path}, err
	}
	var h Hold
	if err := json.Unmarshal(data, &h); err != nil {
		return Hold{File: path}, fmt.Errorf("reading %s: %w", path, err)
	}
	h.File = path
	return h, nil
}

// holdFile is where the hold of a plan is kept: one place for each method and
// set of containers.
func holdFile(p Plan) string {
	refs := slices.Sorted(slices.Values(p.Refs))
	sum := sha256.Sum256([]byte(p.Method + "\x00" + strings.Join(refs, "\x00")))
	return filepath.Join(HoldsDir(), hex.EncodeToString(sum[:8])+".json")
}

// enter puts a hold into the index; it is on the disk no later than the
// journal's first step.
func enter(j *Journal, caseDir string, p Plan) error {
	h := Hold{Case: caseDir, Journal: j.Path(), Since: time.Now().UTC(), Holder: self(), Plan: p}
	data, err := json.Marshal(h)
	if err == nil {
		err = j.pending.WriteFile(holdFile(p), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("entering the hold into the host's index: %w", err)
	}
	return nil
}

// strike takes the hold that belongs to a journal out of the index, and what a
// crash has left of its making. A later hold of the same target stays.
func strike(p Plan, journal string) error {
	path := holdFile(p)
	h, err := readHold(path)
	if err == nil && h.Journal != journal {
		return nil
	}
	if err := errors.Join(durable.Remove(path), durable.Remove(path+".tmp")); err != nil {
		return fmt.Errorf("taking the hold out of the host's index: %w", err)
	}
	return nil
}

// heldBy finds a hold of the same method on any of the plan's containers.
func heldBy(p Plan) (Hold, bool, error) {
	holds, err := Holds()
	if err != nil {
		return Hold{}, false, err
	}
	for _, h := range holds {
		if h.Plan.Method == p.Method && slices.ContainsFunc(h.Plan.Refs, func(r string) bool { return slices.Contains(p.Refs, r) }) {
			return h, true, nil
		}
	}
	return Hold{}, false, nil
}
