package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	tea "github.com/charmbracelet/bubbletea"

	"amber/evidence"
	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/evidence/encrypt"
)

// evidenceScreen is the case's bundles and its custody log as a tree.
type evidenceScreen struct {
	roots   []*node
	known   bool
	list    list
	version int
}

// node is a line of the tree.
type node struct {
	text, more string
	as         func(k *look) paint
	depth      int
	load       func(context.Context) ([]*node, error) // what is below; nil where nothing can be
	see        func(m *model)                         // what enter does where nothing is below
	kids       []*node
	loaded     bool
	loading    bool
	open       bool
}

// kidsMsg is what is below a node.
type kidsMsg struct {
	of   *node // nil for the roots
	kids []*node
	err  error
}

func (m *model) loadEvidence() {
	if m.ev.known || m.c.Dir == "" {
		m.ev.known = true
		return
	}
	dir, log, keys := m.c.Dir, m.c.Log, m.c.Keys
	m.asker.ask(laneEvidence, func(ctx context.Context, tell func(tea.Msg)) {
		kids, err := caseNodes(ctx, dir, log, keys)
		tell(kidsMsg{nil, kids, err})
	})
}

// caseNodes are the bundles, oldest first, and the custody log.
func caseNodes(ctx context.Context, dir string, log func(custody.Entry) error, keys *encrypt.Keyring) ([]*node, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "evidence"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Name() < entries[j].Name() })
	var out []*node
	for _, e := range entries {
		if e.IsDir() && ctx.Err() == nil {
			out = append(out, bundleNode(filepath.Join(dir, "evidence", e.Name()), e.Name(), log, keys))
		}
	}
	return append(out, custodyNode(dir)), ctx.Err()
}

// bundle is one that is read by the screen.
type bundle struct {
	*evidence.Bundle
	id, dir string
	log     func(custody.Entry) error
	keys    *encrypt.Keyring
}

// looked enters a look in the custody log.
func (b *bundle) looked(action, at string) error {
	if b.log == nil {
		return nil
	}
	e := custody.Entry{Action: action, Evidence: &custody.Evidence{ID: b.id}, Reason: at}
	if d := b.Digest(); d != "" && b.State() != evidence.Incomplete {
		e.Evidence.Digest = "sha256:" + d
	}
	return b.log(e)
}

func bundleNode(dir, id string, log func(custody.Entry) error, keys *encrypt.Keyring) *node {
	n := &node{text: id, as: func(k *look) paint { return k.Title }}
	opened, err := evidence.Open(dir, keys)
	if err != nil {
		n.more, n.as = err.Error(), func(k *look) paint { return k.Error }
		return n
	}
	b := &bundle{opened, id, dir, log, keys}
	n.more = string(b.State())
	if err := b.Locked(); err != nil {
		n.more += ", " + err.Error()
	}
	if a, err := b.Acquisition(); err == nil {
		n.more += fmt.Sprintf(", %s, taken %s, %s, %s missed", a.Name, a.Start.Format("2006-01-02 15:04:05Z"), plural(a.Members, "item"), grouped(a.Misses))
	}
	n.load = b.sections
	return n
}

// custodyNode is the log, its state told before its entries.
func custodyNode(dir string) *node {
	return &node{text: "custody log", more: "who did what to this case", as: func(k *look) paint { return k.Title }, load: func(ctx context.Context) ([]*node, error) {
		return custodyEntries(ctx, dir)
	}}
}

func custodyEntries(ctx context.Context, dir string) ([]*node, error) {
	cs, err := casedir.OpenRead(dir)
	if err != nil {
		return nil, err
	}
	defer cs.Close()
	signers, err := cs.Signers()
	if err != nil {
		return nil, err
	}
	r, err := custody.Verify(cs.CustodyPath(), signers, nil)
	if errors.Is(err, os.ErrNotExist) {
		return []*node{{text: "there is no custody log yet"}}, nil
	}
	if err != nil {
		return nil, err
	}
	good := func(k *look) paint { return k.Good }
	if len(r.Problems) > 0 {
		good = func(k *look) paint { return k.Bad }
	}
	out := []*node{{text: r.String(), as: good}}
	for _, p := range r.Problems {
		out = append(out, &node{text: p.String(), as: func(k *look) paint { return k.Bad }})
	}
	for e, err := range custody.Entries(cs.CustodyPath()) {
		if err != nil || ctx.Err() != nil {
			return out, errors.Join(err, ctx.Err())
		}
		out = append(out, custodyLine(e))
	}
	return out, nil
}

func custodyLine(e custody.Entry) *node {
	text := fmt.Sprintf("%5d  %s  %-16s %s", e.Sequence, e.Time.UTC().Format("2006-01-02 15:04:05Z"), e.Action, e.Actor.User)
	if e.Evidence != nil {
		text += "  " + e.Evidence.ID
	}
	n := &node{text: text, more: e.Reason}
	if e.Signature == custody.Awaiting {
		n.more += " (not signed yet)"
	}
	n.see = func(m *model) {
		m.over = reader("custody entry", fmt.Sprintf("sequence  %d\ntime      %s\naction    %s\nactor     %s (uid %d)\nhost      %s\nreason    %s\nauthority %s\nresult    %s\nerrors    %v\naltered   %v\nprevious  %s\nsignature %.60s",
			e.Sequence, e.Time, e.Action, e.Actor.User, e.Actor.UID, e.Host, e.Reason, e.Authority, e.Result, e.Errors, e.Alterations, e.Previous, e.Signature), m.w-3)
	}
	return n
}

func (k kidsMsg) take(m *model) error {
	m.ev.version++
	if k.of == nil {
		m.ev.known, m.ev.roots = true, k.kids
		if len(k.kids) > 0 && len(k.kids) <= 3 {
			m.unfold(k.kids[0])
		}
		return k.err
	}
	k.of.loading = false
	if k.err != nil {
		k.of.kids = append(k.kids, &node{text: k.err.Error(), depth: k.of.depth + 1, as: func(k *look) paint { return k.Error }})
	} else {
		k.of.kids, k.of.loaded = k.kids, true
	}
	for _, n := range k.of.kids {
		n.depth = k.of.depth + 1
	}
	return nil
}

// unfold shows what is below a node.
func (m *model) unfold(n *node) {
	m.ev.version++
	n.open = true
	if n.loaded || n.loading || n.load == nil {
		return
	}
	n.loading = true
	load := n.load
	m.asker.ask(laneEvidence, func(ctx context.Context, _ func(tea.Msg)) {
		kids, err := load(ctx)
		m.asker.send(kidsMsg{n, kids, err}) // also when it was called off
	})
}

// nodes are the lines of the tree that are unfolded.
func (m *model) nodes() []*node {
	var out []*node
	var walk func([]*node)
	walk = func(ns []*node) {
		for _, n := range ns {
			if out = append(out, n); n.open {
				walk(n.kids)
			}
		}
	}
	walk(m.ev.roots)
	return out
}

func (m *model) moveEvidence(d int) {
	m.ev.list.move(d, len(m.nodes()), m.h-4)
}

func (m *model) node() *node {
	all := m.nodes()
	if s := m.ev.list.sel; s < len(all) {
		return all[s]
	}
	return nil
}

func evidenceKeys() []binding {
	g := "evidence"
	return []binding{
		{"enter", atEvidence, "open", "unfold, or view", g, act((*model).openNode)},
		{"l right space", atEvidence, "", "unfold", g, act(func(m *model) {
			if n := m.node(); n != nil && n.load != nil {
				m.unfold(n)
			}
		})},
		{"h left", atEvidence, "fold", "fold, or go to what it is below", g, act((*model).foldNode)},
	}
}

func (m *model) openNode() {
	switch n := m.node(); {
	case n == nil:
	case n.load != nil && n.open:
		n.open = false
		m.ev.version++
	case n.load != nil:
		m.unfold(n)
	case n.see != nil:
		n.see(m)
	}
}

func (m *model) foldNode() {
	n := m.node()
	if n == nil {
		return
	}
	m.ev.version++
	if n.open {
		n.open = false
		return
	}
	all := m.nodes()
	for i := m.ev.list.sel; i >= 0; i-- {
		if all[i].depth < n.depth {
			m.ev.list.sel = i
			return
		}
	}
}

// evidenceView is the tree.
func (m *model) evidenceView(w, h int) []string {
	k := &m.k
	out := []string{k.line(w, paint{}, seg{" evidence: every look into a bundle is entered in the custody log", k.Dim})}
	all := m.nodes()
	switch {
	case !m.ev.known:
		return append(out, k.line(w, paint{}, seg{"  reading", k.Dim}))
	case m.c.Dir == "":
		return append(out, k.line(w, paint{}, seg{"  this timeline belongs to no case", paint{}}))
	}
	m.ev.list.show(len(all), h-1)
	for i := m.ev.list.top; i < min(len(all), m.ev.list.top+h-1); i++ {
		n := all[i]
		over, as := paint{}, paint{}
		if i == m.ev.list.sel {
			over = k.Selected
		}
		if n.as != nil {
			as = n.as(k)
		}
		sign := "  "
		switch {
		case n.loading:
			sign = "~ "
		case n.load != nil && n.open:
			sign = k.open + " "
		case n.load != nil:
			sign = k.shut + " "
		}
		out = append(out, k.line(w, over, seg{" " + spaces(2*n.depth) + sign, k.Dim}, seg{n.text, as}, seg{"  " + n.more, k.Dim}))
	}
	return out
}
