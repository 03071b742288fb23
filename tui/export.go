package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	tea "github.com/charmbracelet/bubbletea"

	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/timeline"
	"amber/timeline/export"
)

// openExport asks where to, and writes what the screen shows: all of it, not
// only what fits.
func (m *model) openExport() {
	p := &prompt{label: "export to:"}
	stamp := m.o.now().UTC().Format("20060102T150405Z")
	switch m.screen {
	case onTimeline:
		p.hint = "all rows of this filter; the ending chooses: .csv .jsonl .ecs .ocsf .bodyfile"
		p.edit.set("amber-timeline-" + stamp + ".csv")
		p.done = (*model).exportRows
	case onStory:
		p.hint = "the story; the ending chooses: .md or .html"
		p.edit.set("amber-story-" + stamp + ".md")
		p.done = (*model).exportStory
	default:
		p.hint = "the list as text"
		p.edit.set("amber-" + strings.ToLower(m.screen.String()) + "-" + stamp + ".txt")
		p.done = (*model).exportList
	}
	m.over = p
}

// exportedMsg says what was written.
type exportedMsg struct {
	path string
	n    int64
	what string
	err  error
}

func (e exportedMsg) take(m *model) error {
	m.doing, m.risk = "", ""
	if e.err != nil {
		return fmt.Errorf("export: %w", e.err)
	}
	m.say(fmt.Sprintf("%s written to %s", plural(e.n, e.what), e.path))
	return nil
}

// exportRows writes every row that the filter finds.
func (m *model) exportRows(path string) error {
	format := strings.TrimPrefix(filepath.Ext(path), ".")
	if !slices.Contains(export.Formats(), format) {
		return fmt.Errorf("no format is called %q: the ending is one of %s", format, strings.Join(export.Formats(), " "))
	}
	s, a, log := m.c.Store, timeline.Ask{Where: m.tl.ask()}, m.c.Log
	m.doing, m.risk = "exporting, esc stops", "an export is being written"
	m.asker.ask(laneWork, func(ctx context.Context, _ func(tea.Msg)) {
		n, err := writeNew(path, func(f *durable.File) (int64, error) {
			to, err := export.New(format, f, nil)
			if err != nil {
				return 0, err
			}
			return export.All(ctx, s, a, to)
		})
		if err == nil && log != nil {
			err = log(custody.Entry{Action: "timeline-export", Result: fmt.Sprintf("%d rows as %s", n, format)})
		}
		m.asker.send(exportedMsg{path, n, "row", err})
	})
	return nil
}

// writeNew makes a file that was not there; what could not be written whole is
// taken away.
func writeNew(path string, write func(*durable.File) (int64, error)) (n int64, err error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, fmt.Errorf("%s is there already", path)
	}
	f, err := durable.Create(path)
	if err != nil {
		return 0, err
	}
	n, err = write(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return n, err
}

func (m *model) exportText(path, text string, n int64, what string) {
	m.asker.ask(laneLog, func(_ context.Context, tell func(tea.Msg)) {
		_, err := writeNew(path, func(f *durable.File) (int64, error) {
			_, err := f.Write([]byte(text))
			return n, err
		})
		tell(exportedMsg{path, n, what, err})
	})
}

func (m *model) exportStory(path string) error {
	text := m.storyMarkdown()
	switch filepath.Ext(path) {
	case ".md":
	case ".html":
		text = m.storyHTML()
	default:
		return errors.New("the ending is .md or .html")
	}
	m.exportText(path, text, int64(len(m.notes.list)), "row")
	return nil
}

// exportList writes the lines of a list, without their colours.
func (m *model) exportList(path string) error {
	plain := cutter{ascii: m.k.ascii, more: m.k.more}
	var b strings.Builder
	n := 0
	add := func(s string) {
		s, _ = plain.cut(s, 4096)
		b.WriteString(strings.TrimRight(s, " ") + "\n")
		n++
	}
	switch m.screen {
	case onFindings:
		for _, f := range m.shownFindings() {
			add(fmt.Sprintf("%-13s %s  %5d  %-10s %s  %s  %s", f.Level, m.times.full(f.Time), len(f.Rows), m.triage(f), f.Title, strings.Join(f.Techniques, " "), strings.Join(f.Entities, " ")))
		}
	case onProcesses:
		for _, r := range m.procs.rows {
			add(fmt.Sprintf("%s  %7d %s%s  %s", m.times.full(r.p.Start), r.p.PID, r.prefix, commandOf(r.p), r.p.User))
		}
	case onEvidence:
		for _, x := range m.nodes() {
			add(strings.Repeat("  ", x.depth) + x.text + "  " + x.more)
		}
	}
	m.exportText(path, b.String(), int64(n), "line")
	return nil
}

// openRank asks for the number of a row.
func (m *model) openRank() {
	r, ok := m.c.Store.(timeline.Ranker)
	if !ok {
		m.say("this timeline cannot count its rows")
		return
	}
	m.over = &prompt{label: "row number:", hint: "of those that the filter finds, from 1", done: func(m *model, s string) error {
		var n int64
		if _, err := fmt.Sscanf(strings.ReplaceAll(s, ",", ""), "%d", &n); err != nil || n < 1 {
			return errors.New("write a number from 1")
		}
		m.rankTo(r, n-1)
		return nil
	}}
}

// rankTo shows the n-th row.
func (m *model) rankTo(r timeline.Ranker, n int64) {
	m.push()
	t := &m.tl
	t.gen++
	t.loading = true
	gen, rows, where, s := t.gen, m.pageRows(), t.ask(), m.c.Store
	a := timeline.Ask{Where: where, Fields: t.fields()}
	m.asker.ask(lanePage, func(ctx context.Context, tell func(tea.Msg)) {
		from, err := r.Rank(ctx, where, n)
		if err != nil {
			tell(rowsMsg{gen: gen, err: err})
			return
		}
		page, err := s.Rows(ctx, a, from, rows)
		if err == nil && len(page.Rows) == 0 {
			err = fmt.Errorf("there are not so many rows")
		}
		tell(rowsMsg{gen: gen, page: forwards(page), err: err})
	})
}
