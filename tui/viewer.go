package tui

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
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
	mode   int           // 0 text, 1 hex, 2 strings, 3 what is known of it
	off    int64
	data   []byte
}

// viewModes are named in the order of their numbers.
func viewModes() []string { return []string{"text", "hex", "strings", "about"} }

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
		v.title, v.mode = d.Path, 3
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
	if first && !textual(v.data) {
		v.mode = 1
	}
	if first && p.member.Type != record.File && p.member.Type != record.Hardlink {
		v.mode = 3
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
		v.mode = (v.mode + 1) % len(viewModes())
	case "shift+tab", "h", "left":
		v.mode = (v.mode + len(viewModes()) - 1) % len(viewModes())
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
	v.top = 0
	v.lay(m)
	return nil
}

// lay sets the lines for the mode.
func (v *viewer) lay(m *model) {
	tabs := viewModes()
	tabs[v.mode] = "[" + tabs[v.mode] + "]"
	v.title = v.path + "  " + strings.Join(tabs, " ")
	if v.path == "" {
		v.title = v.drift.Path
	}
	if v.member != nil && v.member.Size > pieceSize {
		v.title += fmt.Sprintf("  bytes %s to %s of %s, n N other pieces", grouped(v.off), grouped(v.off+int64(len(v.data))), grouped(v.member.Size))
	}
	switch v.mode {
	case 0:
		v.lines = reader("", layJSON(v.data), max(20, m.w-3)).lines
	case 1:
		v.lines = hexLines(v.data, v.off)
	case 2:
		v.lines = stringLines(v.data, v.off)
	default:
		v.lines = v.about()
	}
}

// layJSON lays a small JSON document out, and leaves all else as it is.
func layJSON(b []byte) string {
	var out bytes.Buffer
	if len(b) < pieceSize && len(b) > 0 && (b[0] == '{' || b[0] == '[') && json.Indent(&out, b, "", "  ") == nil {
		return out.String()
	}
	return string(b)
}

// hexLines are 16 bytes a line.
func hexLines(b []byte, off int64) (out []seg) {
	for i := 0; i < len(b); i += 16 {
		row := b[i:min(len(b), i+16)]
		var s, t strings.Builder
		for j, c := range row {
			if j == 8 {
				s.WriteByte(' ')
			}
			s.WriteString(hex.EncodeToString([]byte{c}) + " ")
			if c < 0x20 || c >= 0x7f || c == '\\' {
				c = '.'
			}
			t.WriteByte(c)
		}
		out = append(out, seg{fmt.Sprintf("%010x  %-49s |%s|", off+int64(i), s.String(), t.String()), paint{}})
	}
	return out
}

// stringLines are runs of at least four visible characters, with their places.
func stringLines(b []byte, off int64) (out []seg) {
	start := -1
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] >= 0x20 && b[i] < 0x7f {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && i-start >= 4 {
			out = append(out, seg{fmt.Sprintf("%10x  %s", off+int64(start), b[start:i]), paint{}})
		}
		start = -1
	}
	return out
}

// about is what is known of a member, and how it differs from the image.
func (v *viewer) about() (out []seg) {
	put := func(name string, f string, args ...any) {
		out = append(out, seg{fmt.Sprintf("%-12s ", name) + fmt.Sprintf(f, args...), paint{}})
	}
	if mem := v.member; mem != nil {
		put("path", "%s", mem.Path)
		put("type", "%s", mem.Type)
		put("mode", "%05o, owner %d:%d", mem.Mode, mem.UID, mem.GID)
		put("size", "%s bytes", grouped(mem.Size))
		put("sha256", "%x", mem.SHA256)
		put("modified", "%s", mem.Mtime.UTC())
		put("changed", "%s", mem.Ctime.UTC())
		put("accessed", "%s", mem.Atime.UTC())
		put("created", "%s", mem.Btime.UTC())
		put("read", "%s %s", mem.ReadAt.UTC(), mem.Via)
		for _, x := range mem.Xattrs {
			put("xattr", "%s = %q", x.Name, x.Value)
		}
		for _, n := range mem.Notes {
			put("note", "%s", n)
		}
	}
	if d := v.drift; d != nil {
		put("change", "%s, against the image", d.Change)
		if d.Was == nil {
			put("image has", "nothing there")
			return out
		}
		put("image has", "%s, mode %05o, owner %d:%d, %s bytes, modified %s, layer %d", d.Was.Type, d.Was.Mode, d.Was.UID, d.Was.GID, grouped(d.Was.Size), d.Was.Mtime.UTC(), d.Was.Layer)
		put("its sha256", "%s", d.Was.SHA256)
		put("", "(what the image has was read on the same node: whoever could write there could change it)")
	}
	return out
}
