package tui

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// Responder acts on containers. Each act enters itself in the custody log.
type Responder interface {
	// Targets are the containers that can be acted on here, and those that are
	// held.
	Targets(ctx context.Context) ([]Target, error)
	// Plan says what an action would do, without doing it.
	Plan(ctx context.Context, action, target string) (string, error)
	// Do does it; what it says is what it did.
	Do(ctx context.Context, action, target string) (string, error)
}

// Target is a container that can be acted on.
type Target struct {
	Ref  string // as a command takes it
	Name string // what people call it
	Held bool
}

// respondActions are what a Responder can be asked for.
func respondActions() []item {
	return []item{
		{key: "i", text: "isolate", more: "freeze it and cut it off, so that nothing is lost"},
		{key: "c", text: "collect", more: "take its evidence into this case"},
		{key: "r", text: "release", more: "undo what isolate did"},
	}
}

// targetsMsg are the containers that can be acted on.
type targetsMsg struct {
	list []Target
	err  error
}

// planMsg is what an action would do.
type planMsg struct {
	action string
	target Target
	text   string
	err    error
}

// doneMsg is what an action did.
type doneMsg struct {
	action string
	target Target
	text   string
	err    error
}

// openRespond lists the containers.
func (m *model) openRespond() {
	r := m.c.Respond
	if r == nil {
		m.say("from here nothing can be acted on: this is a case to be read")
		return
	}
	if m.risk != "" {
		m.say("wait: " + m.risk)
		return
	}
	m.doing = "looking for containers, esc stops"
	m.asker.ask(laneWork, func(ctx context.Context, _ func(tea.Msg)) {
		list, err := r.Targets(ctx)
		m.asker.send(targetsMsg{list, err})
	})
}

func (t targetsMsg) take(m *model) error {
	m.doing = ""
	switch {
	case t.err != nil:
		return t.err
	case len(t.list) == 0:
		m.say("no container is seen here, and none is held; amber ps says by which runtimes it looks")
		return nil
	}
	u := &menu{title: "act on which container", types: true}
	for _, x := range t.list {
		held := ""
		if x.Held {
			held = "HELD"
		}
		u.items = append(u.items, item{"", x.Name, strings.TrimSpace(held + " " + x.Ref), act(func(m *model) { m.openActions(x) })})
	}
	m.over = u
	return nil
}

func (m *model) openActions(x Target) {
	u := &menu{title: "what to do with " + x.Name}
	for _, a := range respondActions() {
		a.do = act(func(m *model) { m.askPlan(a.text, x) })
		u.items = append(u.items, a)
	}
	m.over = u
}

func (m *model) askPlan(action string, x Target) {
	r := m.c.Respond
	m.doing = "planning, esc stops"
	m.asker.ask(laneWork, func(ctx context.Context, _ func(tea.Msg)) {
		text, err := r.Plan(ctx, action, x.Ref)
		m.asker.send(planMsg{action, x, text, err})
	})
}

func (p planMsg) take(m *model) error {
	m.doing = ""
	if p.err != nil {
		return fmt.Errorf("the plan to %s %s: %w", p.action, p.target.Name, p.err)
	}
	c := &confirm{plan: p}
	c.pages = *reader("the plan: "+p.action+" "+p.target.Name, p.text, m.w-3)
	m.over = c
	return nil
}

// armAfter is how long keys are ignored once the plan is on the screen: what was
// typed before it was read is not meant for it.
const armAfter = 700 * time.Millisecond

// confirm shows a plan and waits for the word yes.
type confirm struct {
	pages
	plan  planMsg
	typed string
	shown time.Time // when it was drawn first
}

func (c *confirm) key(m *model, p press) tea.Cmd {
	switch {
	case p.name == "esc" || p.name == "ctrl+c":
		m.over = nil
		m.say("nothing was done")
	case c.shown.IsZero() || m.o.now().Sub(c.shown) < armAfter:
	case p.name == "backspace":
		c.typed = c.typed[:max(0, len(c.typed)-1)]
	case p.name == "enter" && c.typed == "yes":
		m.over = nil
		m.carryOut(c.plan)
	case len(p.text) == 1 && strings.HasPrefix("yes", c.typed+p.text):
		c.typed += p.text
	case p.name == "down" || p.name == "up" || p.name == "pgdown" || p.name == "pgup":
		return c.pages.key(m, p)
	}
	return nil
}

func (c *confirm) view(m *model, w, h int) []string {
	if c.shown.IsZero() {
		c.shown = m.o.now()
	}
	lines := c.pages.view(m, w, h)
	lines[len(lines)-1] = m.k.line(w, paint{}, seg{" type yes and press enter to " + c.plan.action + " " + c.plan.target.Name + ", esc leaves: ", m.k.Key}, seg{c.typed + "_", m.k.Bad})
	return lines
}

// carryOut does what was planned. It is not called off by leaving the screen.
func (m *model) carryOut(p planMsg) {
	r := m.c.Respond
	m.doing, m.risk = p.action+" "+p.target.Name, p.action+" "+p.target.Name+" is not finished"
	m.asker.ask(laneLog, func(ctx context.Context, _ func(tea.Msg)) {
		text, err := r.Do(ctx, p.action, p.target.Ref)
		m.asker.send(doneMsg{p.action, p.target, text, err})
	})
}

func (d doneMsg) take(m *model) error {
	m.doing, m.risk = "", ""
	title := d.action + " " + d.target.Name + ": done"
	if d.err != nil {
		title = d.action + " " + d.target.Name + ": FAILED"
		d.text += "\n" + d.err.Error()
	}
	m.over = reader(title, d.text, m.w-3)
	m.ev.known = false // there may be a new bundle
	return nil
}
