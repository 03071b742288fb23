package tui

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"

	"amber/evidence"
	"amber/evidence/record"
)

// Members of a bundle that the screen reads itself.
const (
	driftMember   = "filesystem/drift.jsonl"
	socketsMember = "network/sockets.jsonl"
)

// maxNodes are shown of one list.
const maxNodes = 50_000

// sections are the parts of a bundle, drift first. That they are looked at is a
// custody entry.
func (b *bundle) sections(context.Context) ([]*node, error) {
	if err := b.looked("ls", ""); err != nil {
		return nil, err
	}
	bad := func(k *look) paint { return k.Bad }
	out := []*node{
		{text: "changed against the image", more: "what the container wrote, changed and deleted", as: func(k *look) paint { return k.Field }, load: b.drift},
		{text: "missed", more: "what was wanted and could not be had", as: func(k *look) paint { return k.Field }, load: b.misses},
		{text: "sockets", more: "connections and listeners when it was frozen", as: func(k *look) paint { return k.Field }, load: b.sockets},
		{text: "verification", more: "hashes every stored byte again", as: func(k *look) paint { return k.Field }, load: b.verify},
	}
	if b.State() == evidence.Incomplete {
		out = append([]*node{{text: "this bundle is INCOMPLETE: its acquisition was cut short", as: bad}}, out...)
	}
	for _, p := range b.Payloads() {
		out = append(out, b.dirNode(p, p))
	}
	return out, nil
}

// verify checks the bundle against what was sealed.
func (b *bundle) verify(ctx context.Context) ([]*node, error) {
	r, err := evidence.Verify(ctx, b.dir, evidence.VerifyOptions{Keys: b.keys})
	if err != nil {
		return nil, err
	}
	if err := b.looked("verify", ""); err != nil {
		return nil, err
	}
	state := &node{text: fmt.Sprintf("intact: %s in %s match what was sealed", grouped(r.Bytes)+" bytes", plural(int64(r.Files), "file")), as: func(k *look) paint { return k.Good }}
	if !r.Intact() {
		state = &node{text: "NOT INTACT", as: func(k *look) paint { return k.Bad }}
	}
	out := []*node{state}
	for _, p := range r.Problems {
		out = append(out, &node{text: p.Name + ": " + p.What, as: func(k *look) paint { return k.Bad }})
	}
	for _, s := range r.Signatures {
		out = append(out, &node{text: "signed by " + s.Fingerprint + " " + s.Principal, more: s.File})
	}
	return append(out, &node{text: "whether a signer is known: amber evidence verify " + b.id}), nil
}

// lines reads a member of JSON lines.
func (b *bundle) lines(ctx context.Context, name string, see func([]byte) error) error {
	m, err := b.Lookup(name)
	if err != nil {
		return err
	}
	if m.Type == record.Miss {
		return fmt.Errorf("it was missed: %s", m.Reason)
	}
	r, err := b.Content(m)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(r, record.MaxLine+2)
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return nil
		case err != nil && err != io.EOF:
			return fmt.Errorf("reading %s: %w", name, err)
		case ctx.Err() != nil:
			return ctx.Err()
		case n >= maxNodes:
			return fmt.Errorf("only the first %d lines are shown", n)
		}
		if err := see(line); err != nil {
			return err
		}
	}
}

// drift is what differs from the image.
func (b *bundle) drift(ctx context.Context) ([]*node, error) {
	var out []*node
	err := b.lines(ctx, driftMember, func(line []byte) error {
		d, err := record.ParseDrift(line)
		if err != nil {
			return err
		}
		out = append(out, b.driftNode(d))
		return nil
	})
	if errors.Is(err, evidence.ErrNotFound) {
		return []*node{{text: "the bundle holds no list of changes; what was missed says why"}}, nil
	}
	return out, err
}

func (b *bundle) driftNode(d *record.Drift) *node {
	n := &node{text: fmt.Sprintf("%-8s %-7s %s", d.Change, d.Type, d.Path), more: driftMore(d), as: driftPaint(d)}
	n.see = func(m *model) { m.view(b, d.Member, d) }
	return n
}

func driftMore(d *record.Drift) string {
	var parts []string
	if d.Type == record.File && d.Change != record.Deleted {
		parts = append(parts, grouped(d.Size)+" bytes")
	}
	if d.Mode&0o6000 != 0 {
		parts = append(parts, "SETUID or SETGID")
	}
	if d.Mode&0o111 != 0 && d.Type == record.File && d.Change != record.Deleted {
		parts = append(parts, "executable")
	}
	if d.Link != "" {
		parts = append(parts, "-> "+d.Link)
	}
	if !d.Mtime.IsZero() {
		parts = append(parts, d.Mtime.UTC().Format("2006-01-02 15:04:05Z"))
	}
	return strings.Join(append(parts, d.Notes...), ", ")
}

func driftPaint(d *record.Drift) func(*look) paint {
	return func(k *look) paint {
		switch d.Change {
		case record.Added:
			return k.Good
		case record.Deleted:
			return k.Bad
		case record.Metadata:
			return k.Dim
		}
		return k.Warn
	}
}

// misses are what could not be had.
func (b *bundle) misses(ctx context.Context) ([]*node, error) {
	var out []*node
	for m, err := range b.Members() {
		if err != nil || ctx.Err() != nil {
			return out, errors.Join(err, ctx.Err())
		}
		if m.Type == record.Miss && len(out) < maxNodes {
			out = append(out, &node{text: m.Path, more: m.Reason, as: func(k *look) paint { return k.Warn }})
		}
	}
	if len(out) == 0 {
		out = append(out, &node{text: "nothing was missed"})
	}
	return out, nil
}

// sockets are those that were open when the container stood still.
func (b *bundle) sockets(ctx context.Context) ([]*node, error) {
	var out []*node
	err := b.lines(ctx, socketsMember, func(line []byte) error {
		var s record.NetSocket
		if err := json.Unmarshal(line, &s); err != nil {
			return fmt.Errorf("reading a socket: %w", err)
		}
		out = append(out, socketNode(&s))
		return nil
	})
	if errors.Is(err, evidence.ErrNotFound) {
		return []*node{{text: "the bundle holds no list of sockets; what was missed says why"}}, nil
	}
	return out, err
}

func socketNode(s *record.NetSocket) *node {
	text := fmt.Sprintf("%-7s %-12s", s.Family+"/"+s.Protocol, s.State)
	switch {
	case s.Path != "":
		text += " " + string(s.Path)
	case s.Remote != "" && s.RemotePort != 0:
		text += fmt.Sprintf(" %s:%d -> %s:%d", s.Local, s.LocalPort, s.Remote, s.RemotePort)
	default:
		text += fmt.Sprintf(" %s:%d", s.Local, s.LocalPort)
	}
	var owners []string
	for _, o := range s.Owners {
		owners = append(owners, fmt.Sprintf("%s (%d)", o.Comm, o.PID))
	}
	return &node{text: text, more: strings.Join(owners, ", ")}
}

// dirNode is a directory; what is directly below it is found by one pass over
// the index.
func (b *bundle) dirNode(at, name string) *node {
	return &node{text: name + "/", load: func(ctx context.Context) ([]*node, error) { return b.children(ctx, at) }}
}

func (b *bundle) children(ctx context.Context, at string) ([]*node, error) {
	seen := map[string]*node{}
	var names []string
	for m, err := range b.Members() {
		if err != nil || ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		rest, ok := strings.CutPrefix(m.Path, at+"/")
		if !ok {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		if seen[name] == nil {
			if len(names) >= maxNodes {
				continue
			}
			names = append(names, name)
			seen[name] = &node{}
		}
		if deeper || m.Type == record.Dir {
			*seen[name] = *b.dirNode(path.Join(at, name), name)
		} else if seen[name].load == nil {
			*seen[name] = *b.memberNode(m, name)
		}
	}
	sort.Strings(names)
	var out []*node
	for _, n := range names {
		out = append(out, seen[n])
	}
	return out, nil
}

func (b *bundle) memberNode(m *record.Member, name string) *node {
	n := &node{text: name, more: memberMore(m)}
	if m.Type == record.Miss {
		n.as = func(k *look) paint { return k.Warn }
		n.more = "missed: " + m.Reason
		return n
	}
	at := m.Path
	n.see = func(x *model) { x.view(b, at, nil) }
	return n
}

func memberMore(m *record.Member) string {
	s := string(m.Type)
	if m.Type == record.File {
		s = fmt.Sprintf("%s bytes  sha256 %s", grouped(m.Size), hex.EncodeToString(m.SHA256[:4]))
	}
	if m.Link != "" {
		s += " -> " + m.Link
	}
	return strings.Join(append([]string{s}, m.Notes...), ", ")
}
