package tui

import (
	"context"
	"time"

	tea "github.com/charmbracelet/bubbletea"

	"amber/timeline"
)

// followEvery is how often a newer generation of the timeline is looked for.
const followEvery = time.Second

func tick() tea.Cmd {
	return tea.Tick(followEvery, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// toggleFollow stays at the end while more is read into the timeline.
func (m *model) toggleFollow() tea.Cmd {
	t := &m.tl
	if t.follow {
		t.follow = false
		m.say("not following any more")
		return nil
	}
	if m.c.Reopen == nil {
		m.say("this timeline does not grow")
		return nil
	}
	t.follow = true
	m.say("following; moving up pauses, F begins again")
	m.startEnd()
	return tick()
}

// reopenedMsg is the timeline in its newer generation, nil where there is none.
type reopenedMsg struct {
	store timeline.Store
	err   error
}

// followed looks for a newer generation.
func (m *model) followed() tea.Cmd {
	if !m.tl.follow {
		return nil
	}
	reopen := m.c.Reopen
	m.asker.ask(laneFollow, func(_ context.Context, _ func(tea.Msg)) {
		s, err := reopen()
		if s != nil || err != nil {
			m.asker.send(reopenedMsg{s, err})
		}
	})
	return tick()
}

func (r reopenedMsg) take(m *model) error {
	if r.err != nil || r.store == nil {
		return r.err
	}
	old := m.c.Store
	m.c.Store = r.store
	m.asker.ask(laneLog, func(_ context.Context, _ func(tea.Msg)) { closeLater(old) })
	m.tl.gen++
	m.startEnd()
	m.askOverview()
	m.loadFindings()
	m.outdate()
	return nil
}

// outdate forgets what was joined of an older timeline, but for what one looks at.
func (m *model) outdate() {
	if m.screen != onProcesses {
		m.procs = processScreen{did: deedPane{on: m.procs.did.on, gen: m.procs.did.gen}, loading: m.procs.loading}
	}
	if m.screen != onStory && !m.story.told.loading {
		m.story.told = told{}
	}
}

// closeLater closes a store that questions may still be reading.
func closeLater(s timeline.Store) {
	time.AfterFunc(time.Minute, func() { _ = s.Close() })
}
