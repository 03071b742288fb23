package tui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
)

// note is one line of notes.jsonl. Lines are added and never changed: what is
// taken back is a line too. docs/tui.md is the format.
type note struct {
	Time    time.Time `json:"time"`
	Author  string    `json:"author"`
	Kind    string    `json:"kind"`              // mark, unmark, tag, comment, pin, unpin, order, triage
	Row     string    `json:"row,omitempty"`     // 32 hex digits
	At      int64     `json:"at,string"`         // the row's time, microseconds since 1970
	Line    string    `json:"line,omitempty"`    // what the row said, for a reader without the timeline
	Finding string    `json:"finding,omitempty"` // its id
	State   string    `json:"state,omitempty"`   // of a triage: new, confirmed, benign
	Text    string    `json:"text,omitempty"`
	Order   []string  `json:"order,omitempty"` // the story's rows
}

// notebook is what the notes come to.
type notebook struct {
	path    string
	author  string
	marks   map[timeline.RowID]bool
	list    []pin
	more    map[timeline.RowID][]note // tags and comments
	triages map[string]note
	version int
}

// pin is a row of the story.
type pin struct {
	row  timeline.RowID
	at   int64
	line string
}

func (b *notebook) open(dir string) {
	if dir != "" {
		b.path = filepath.Join(dir, "notes.jsonl")
	}
	b.marks, b.more, b.triages = map[timeline.RowID]bool{}, map[timeline.RowID][]note{}, map[string]note{}
	b.author = "unknown"
	if u, err := user.Current(); err == nil {
		b.author = u.Username
	}
	if s := os.Getenv("SUDO_USER"); s != "" {
		b.author = s + " (as " + b.author + ")"
	}
}

func (b *notebook) marked(id timeline.RowID) bool { return b.marks[id] }

func (b *notebook) pins() []pin { return b.list }

func (b *notebook) pinned(id timeline.RowID) bool {
	return slices.ContainsFunc(b.list, func(p pin) bool { return p.row == id })
}

// apply takes a note into account.
func (b *notebook) apply(n note) {
	b.version++
	id, ok := parseRow(n.Row)
	switch n.Kind {
	case "triage":
		b.triages[n.Finding] = n
	case "order":
		b.order(n.Order)
	}
	if !ok {
		return
	}
	switch n.Kind {
	case "mark":
		b.marks[id] = true
	case "unmark":
		delete(b.marks, id)
	case "pin":
		if !b.pinned(id) {
			b.list = append(b.list, pin{id, n.At, n.Line})
		}
	case "unpin":
		b.list = slices.DeleteFunc(b.list, func(p pin) bool { return p.row == id })
	case "tag", "comment":
		b.more[id] = append(b.more[id], n)
	}
}

// order puts the story's rows in an order; those that it does not name stay
// behind.
func (b *notebook) order(ids []string) {
	place := map[string]int{}
	for i, id := range ids {
		place[id] = i + 1
	}
	slices.SortStableFunc(b.list, func(x, y pin) int {
		px, py := place[hex.EncodeToString(x.row[:])], place[hex.EncodeToString(y.row[:])]
		if px == 0 {
			px = len(ids) + 1
		}
		if py == 0 {
			py = len(ids) + 1
		}
		return px - py
	})
}

func parseRow(s string) (timeline.RowID, bool) {
	var id timeline.RowID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) {
		return id, false
	}
	copy(id[:], b)
	return id, true
}

// notesMsg are the notes that were there already.
type notesMsg struct {
	notes []note
	err   error
}

func (m *model) loadNotes() {
	path := m.notes.path
	if path == "" {
		return
	}
	m.asker.ask(laneLog, func(_ context.Context, tell func(tea.Msg)) {
		var all []note
		for _, p := range []string{path, besideNotes(path)} {
			notes, err := readNotes(p)
			if err != nil {
				tell(notesMsg{err: err})
			}
			all = append(all, notes...)
		}
		tell(notesMsg{notes: all})
	})
}

func (n notesMsg) take(m *model) error {
	for _, x := range n.notes {
		m.notes.apply(x)
	}
	if len(m.notes.list) > 0 {
		m.story.mine = true // who has one of their own sees that first
	}
	return n.err
}

// besideNotes is where notes go of a case that cannot be written.
func besideNotes(path string) string { return filepath.Dir(path) + ".notes.jsonl" }

// maxNote bounds a line.
const maxNote = 1 << 20

// readNotes reads notes; a last line that a crash cut is left out.
func readNotes(path string) ([]note, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the notes: %w", err)
	}
	defer f.Close()
	var out []note
	lines := bufio.NewScanner(io.LimitReader(f, 1<<30))
	lines.Buffer(nil, maxNote)
	bad := 0
	for lines.Scan() {
		var n note
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if json.Unmarshal(lines.Bytes(), &n) != nil {
			bad++
			continue
		}
		out = append(out, n)
	}
	if err := lines.Err(); err != nil {
		return out, fmt.Errorf("reading the notes: %w", err)
	}
	if bad > 0 {
		return out, fmt.Errorf("%s of %s cannot be read", plural(int64(bad), "line"), path)
	}
	return out, nil
}

// savedMsg says that a note is on the disk, or why not.
type savedMsg struct{ err error }

func (s savedMsg) take(*model) error { return s.err }

// write takes a note into account, and adds it to the file.
func (m *model) write(n note) {
	n.Time, n.Author = m.o.now().UTC(), m.notes.author
	m.notes.apply(n)
	if m.notes.path == "" {
		m.say("there is no case to keep notes in: they last as long as this session")
		return
	}
	path := m.notes.path
	m.asker.ask(laneLog, func(_ context.Context, tell func(tea.Msg)) {
		line, err := json.Marshal(n)
		if err == nil {
			err = addNote(path, append(line, '\n'))
		}
		if err != nil {
			tell(savedMsg{fmt.Errorf("this note is NOT saved: %w", err)})
		}
	})
}

// addNote appends a line; where the case cannot be written, beside it.
func addNote(path string, line []byte) error {
	err := appendLine(path, line)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) {
		err = appendLine(besideNotes(path), line)
	}
	return err
}

// appendLine appends a whole line, on one of its own also after a crash.
func appendLine(path string, line []byte) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err := f.Write(line); err != nil {
		return err
	}
	return f.Sync()
}
