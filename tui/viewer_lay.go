package tui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
)

// lay sets the lines for the mode.
func (v *viewer) lay(m *model) {
	v.title = cmp.Or(v.path, v.driftPath()) + " "
	for _, i := range v.modes() {
		name := viewModes()[i]
		if i == v.mode {
			name = "[" + name + "]"
		}
		v.title += " " + name
	}
	if v.member != nil && v.member.Size > pieceSize {
		v.title += fmt.Sprintf("  bytes %s to %s of %s, n N other pieces", grouped(v.off), grouped(v.off+int64(len(v.data))), grouped(v.member.Size))
	}
	switch v.mode {
	case 0:
		v.lines = reader("", layJSON(v.data), max(20, m.w-3)).lines
	case viewHex:
		v.lines = hexLines(v.data, v.off)
	case 2:
		v.lines = stringLines(v.data, v.off)
	case viewDiff:
		v.lines = v.diffLines(m)
	default:
		v.lines = v.about()
	}
}

func (v *viewer) driftPath() string {
	if v.drift == nil {
		return ""
	}
	return v.drift.Path
}

// diffLines are the file beside the image's, or why they cannot be compared.
func (v *viewer) diffLines(m *model) []seg {
	w := max(20, m.w-3)
	switch {
	case v.failed != nil:
		out := []seg{{"What the image has here cannot be shown:", m.k.Key}}
		out = append(out, reader("", v.failed.Error(), w).lines...)
		out = append(out, seg{})
		return append(out, reader("", "Layers are taken from the container runtimes of this machine, and from image layouts that amber tui --image names. What is known of the image's file without them is in the tab about.", w).lines...)
	case v.compared == nil:
		return []seg{{"reading the image's layers, and hashing them; esc leaves", m.k.Dim}}
	}
	return v.compared.lay(&m.k, w)
}

// layJSON lays a small JSON document out, and leaves all else as it is.
func layJSON(b []byte) string {
	var out bytes.Buffer
	if len(b) < pieceSize && len(b) > 0 && (b[0] == '{' || b[0] == '[') && json.Indent(&out, b, "", "  ") == nil {
		return out.String()
	}
	return string(b)
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
