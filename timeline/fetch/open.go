package fetch

import (
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

// Opened is a fetch of a case, new or one that is gone on with.
type Opened struct {
	Dir      string
	Span     Span
	Complete bool // no call is left
}

// asked is request.json.
type asked struct {
	Request
	Span    Span      `json:"span"`
	Began   time.Time `json:"began"`
	Planned Plan      `json:"plan"`
}

// Find looks in a case for a fetch of the same request that is not at its end,
// or, where both times are fixed ones, for any.
func Find(caseDir string, r Request) (Opened, bool, error) {
	parent := filepath.Join(caseDir, Folder)
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return Opened{}, false, nil
	}
	if err != nil {
		return Opened{}, false, err
	}
	for _, e := range slices.Backward(entries) { // names begin with times: the latest first
		if !strings.HasSuffix(e.Name(), "-"+r.key()) {
			continue
		}
		o, again, err := reopen(filepath.Join(parent, e.Name()), r)
		if err != nil {
			return Opened{}, false, fmt.Errorf("the fetch %s: %w", e.Name(), err)
		}
		if again {
			return o, true, nil
		}
	}
	return Opened{}, false, nil
}

func reopen(dir string, r Request) (Opened, bool, error) {
	data, err := os.ReadFile(filepath.Join(dir, requestFile))
	if errors.Is(err, fs.ErrNotExist) { // killed before it began: nothing else is there
		err = durable.Remove(filepath.Join(dir, requestFile+".tmp"))
		return Opened{}, false, errors.Join(err, durable.Remove(dir))
	}
	if err != nil {
		return Opened{}, false, err
	}
	var a asked
	if err := json.Unmarshal(data, &a); err != nil {
		return Opened{}, false, err
	}
	c, err := readCursor(filepath.Join(dir, cursorFile))
	if err != nil {
		return Opened{}, false, err
	}
	_, done := c.state()
	return Opened{Dir: dir, Span: a.Span, Complete: done}, !done || r.fixed(), nil
}

// Create makes the folder of a new fetch.
func Create(caseDir string, r Request, span Span, plan Plan, now time.Time) (Opened, error) {
	name := fmt.Sprintf("%s-%s-%s", now.UTC().Format("20060102T150405.000Z"), r.Origin, r.key())
	o := Opened{Dir: filepath.Join(caseDir, Folder, name), Span: span}
	data, err := json.MarshalIndent(asked{r, span, now.UTC(), plan}, "", "  ")
	if err != nil {
		return o, err
	}
	if err := durable.MkdirAll(o.Dir); err != nil {
		return o, err
	}
	return o, durable.WriteFile(filepath.Join(o.Dir, requestFile), append(data, '\n'))
}

// key tells requests apart.
func (r Request) key() string {
	data, _ := json.Marshal(r) // strings alone: maps are in order
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// fixed reports whether the request means the same span whenever it is made.
func (r Request) fixed() bool {
	_, since := fixedTime(r.Since)
	_, until := fixedTime(r.Until)
	return since && until
}

// Span reads the request's times: RFC 3339, a date, or a duration before now.
func (r Request) Span(now time.Time) (s Span, err error) {
	if s.Since, err = timeOf(r.Since, now); err != nil {
		return s, fmt.Errorf("--since %q: %w", r.Since, err)
	}
	s.Until = now.UTC().Truncate(time.Second)
	if r.Until != "" {
		if s.Until, err = timeOf(r.Until, now); err != nil {
			return s, fmt.Errorf("--until %q: %w", r.Until, err)
		}
	}
	if !s.Since.Before(s.Until) {
		return s, fmt.Errorf("--since %s is not before --until %s", s.Since.Format(time.RFC3339), s.Until.Format(time.RFC3339))
	}
	return s, nil
}

func timeOf(text string, now time.Time) (time.Time, error) {
	if t, ok := fixedTime(text); ok {
		return t, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, errors.New("want a time such as 2026-11-22T14:00:00Z, a day, or a duration before now such as 6h")
	}
	return now.Add(-d).UTC().Truncate(time.Second), nil
}

func fixedTime(text string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// Kept lists the files of a fetch that a custody log is to know: the request,
// the cursor, and every answer, by their names below the case.
func (o Opened) Kept() ([]string, error) {
	base := Folder + "/" + filepath.Base(o.Dir) + "/"
	names := []string{base + requestFile, base + cursorFile}
	c, err := readCursor(filepath.Join(o.Dir, cursorFile))
	for _, l := range c.live() {
		if l.File != "" {
			names = append(names, base+l.File)
		}
	}
	return names, err
}
