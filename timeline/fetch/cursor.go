package fetch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"amber/evidence/durable"
)

const (
	cursorFile  = "cursor.jsonl"
	requestFile = "request.json"
	maxLine     = 1 << 20
)

// line is one of the cursor: an answer that was kept, or a walk that was put
// aside.
type line struct {
	At      time.Time       `json:"at"`
	Call    string          `json:"call,omitempty"`
	Answer  string          `json:"answer,omitempty"`
	File    string          `json:"file,omitempty"`
	Size    int64           `json:"size,omitempty"`
	SHA256  string          `json:"sha256,omitempty"`
	Records int64           `json:"records,omitempty"`
	Skipped int64           `json:"skipped,omitempty"`
	Misses  []string        `json:"misses,omitempty"`
	Walk    string          `json:"walk,omitempty"`
	State   json.RawMessage `json:"state,omitempty"`
	Done    bool            `json:"done,omitempty"`

	Superseded string `json:"superseded,omitempty"` // the walk whose answers count no more
}

// cursor is what was kept so far.
type cursor struct {
	lines []line
	whole int64 // bytes of whole lines
}

// readCursor reads the lines of a cursor; what a crash left of a last one is
// not counted.
func readCursor(path string) (c cursor, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	for {
		text, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return c, err
		}
		if err := c.take(text); err != nil {
			return c, fmt.Errorf("%s: line %d: %w", path, len(c.lines)+1, err)
		}
	}
}

func (c *cursor) take(text []byte) error {
	var l line
	if len(text) > maxLine {
		return fmt.Errorf("it has %d bytes", len(text))
	}
	if err := json.Unmarshal(bytes.TrimSpace(text), &l); err != nil {
		return err
	}
	if l.File != "" && !fs.ValidPath(l.File) {
		return fmt.Errorf("%q is no name of a file here", l.File)
	}
	c.lines = append(c.lines, l)
	c.whole += int64(len(text))
	return nil
}

// live are the lines whose answers count.
func (c cursor) live() (out []line) {
	for _, l := range c.lines {
		if l.Superseded == "" {
			out = append(out, l)
			continue
		}
		kept := out[:0]
		for _, o := range out {
			if o.Walk != l.Superseded {
				kept = append(kept, o)
			}
		}
		out = kept
	}
	return out
}

// state is where to go on, and whether that was the end.
func (c cursor) state() (json.RawMessage, bool) {
	if len(c.lines) == 0 {
		return nil, false
	}
	l := c.lines[len(c.lines)-1]
	return l.State, l.Done
}

// openCursor opens a cursor for appending, behind its last whole line.
func openCursor(path string, whole int64) (*durable.File, error) {
	f, err := durable.Append(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.Size() <= whole {
		return f, err
	}
	if err := f.Truncate(whole); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
