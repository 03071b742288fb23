package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	tea "github.com/charmbracelet/bubbletea"

	"amber/evidence"
	"amber/evidence/record"
)

// viewer shows what a member holds, a piece at a time.
type viewer struct {
	pages
	b      *bundle
	path   string
	member *record.Member
	drift  *record.Drift // nil where it is not known to differ from the image
	mode   int           // the number of its name in viewModes
	off    int64
	data   []byte

	asked    bool // for what the image has
	compared *comparison
	failed   error
}

// Modes that a viewer begins with, and what they are called.
const (
	viewHex   = 1
	viewAbout = 3
	viewDiff  = 4
)

func viewModes() []string { return []string{"text", "hex", "strings", "about", "diff"} }

// modes are those that there is something to show for.
func (v *viewer) modes() []int {
	out := []int{0, viewHex, 2, viewAbout}
	if v.path == "" {
		out = []int{viewAbout}
	}
	if v.compares() {
		out = append(out, viewDiff)
	}
	return out
}

// turn goes d modes on.
func (v *viewer) turn(m *model, d int) {
	all := v.modes()
	at := max(0, slices.Index(all, v.mode))
	v.show(m, all[(at+d+len(all))%len(all)])
}

// show shows a mode from its beginning.
func (v *viewer) show(m *model, mode int) {
	v.mode, v.top = mode, 0
	if mode == viewDiff {
		m.compare(v)
	}
	v.lay(m)
}

// pieceSize is how much is read at a time.
const pieceSize = 256 << 10

// pieceMsg is a piece of a member.
type pieceMsg struct {
	v      *viewer
	member *record.Member
	off    int64
	data   []byte
	err    error
}

// view opens a member. That it is looked at is a custody entry.
func (m *model) view(b *bundle, path string, d *record.Drift) {
	v := &viewer{b: b, path: path, drift: d}
	v.title = path
	if path == "" {
		v.title, v.mode = d.Path, viewAbout
	}
	m.over = v
	v.lay(m)
	if path != "" {
		m.readPiece(v, 0)
	}
}

func (m *model) readPiece(v *viewer, off int64) {
	m.asker.ask(laneEvidence, func(_ context.Context, tell func(tea.Msg)) {
		p := pieceMsg{v: v, off: off}
		p.member, p.data, p.err = v.b.piece(v.path, off)
		tell(p)
	})
}

func (b *bundle) piece(path string, off int64) (*record.Member, []byte, error) {
	mem, err := b.Lookup(path)
	if err != nil || mem.Type != record.File && mem.Type != record.Hardlink {
		return mem, nil, err
	}
	if off == 0 {
		if err := b.looked("view", path); err != nil {
			return mem, nil, err
		}
	}
	r, err := b.Content(mem)
	if err != nil {
		return mem, nil, err
	}
	if _, err := r.Seek(off, io.SeekStart); err != nil {
		return mem, nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, pieceSize))
	return mem, data, err
}

func (p pieceMsg) take(m *model) error {
	v := p.v
	if m.over != overlay(v) {
		return nil
	}
	if errors.Is(p.err, evidence.ErrNotFound) {
		p.err = fmt.Errorf("the bundle does not hold %s", v.path)
	}
	if p.err != nil {
		return p.err
	}
	first := v.member == nil
	v.member, v.off, v.data, v.top = p.member, p.off, p.data, 0
	if first && v.mode != viewDiff && !textual(v.data) {
		v.mode = viewHex
	}
	if first && p.member.Type != record.File && p.member.Type != record.Hardlink {
		v.mode = viewAbout
	}
	v.lay(m)
	return nil
}

// textual tells whether bytes look like text.
func textual(b []byte) bool {
	b = b[:min(len(b), 4096)]
	return bytes.IndexByte(b, 0) < 0 && (utf8.Valid(b) || len(b) == 4096)
}

func (v *viewer) key(m *model, p press) tea.Cmd {
	switch p.name {
	case "tab", "l", "right":
		v.turn(m, 1)
	case "shift+tab", "h", "left":
		v.turn(m, -1)
	case "d":
		if !v.compares() {
			m.say("the image has no file here to compare it with")
			return nil
		}
		v.show(m, viewDiff)
	case "esc", "q":
		m.asker.stop(laneRaw) // nobody waits for the image any more
		return v.pages.key(m, p)
	case "n", "]":
		if v.member != nil && v.off+pieceSize < v.member.Size {
			m.readPiece(v, v.off+pieceSize)
		}
		return nil
	case "N", "[":
		if v.off > 0 {
			m.readPiece(v, max(0, v.off-pieceSize))
		}
		return nil
	default:
		return v.pages.key(m, p)
	}
	return nil
}

func (v *viewer) view(m *model, w, h int) []string {
	lines := v.pages.view(m, w, h)
	lines[len(lines)-1] = m.k.line(w, paint{}, seg{v.foot(), m.k.Dim})
	return lines
}

// foot says what the keys do, and where one is.
func (v *viewer) foot() string {
	s := " esc leaves, tab other views, "
	if v.compares() {
		s += "d against the image's, "
	}
	return s + "y copies   " + v.place()
}
