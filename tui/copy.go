package tui

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	tea "github.com/charmbracelet/bubbletea"
)

// maxCopy bounds what is put into a clipboard: terminals take no more.
const maxCopy = 74_000

// copyText puts a text into the clipboard of the terminal, which may be far
// away, by OSC 52, and into that of this machine's desktop where there is one.
func (m *model) copyText(text, what string) {
	if text == "" {
		m.say("there is nothing to copy")
		return
	}
	cut := ""
	if len(text) > maxCopy {
		text, cut = text[:maxCopy], ", the first 74,000 bytes of it"
	}
	if m.term != nil {
		if _, err := m.term.Write([]byte(osc52(text, os.Getenv("TMUX") != ""))); err != nil {
			m.fail(err)
			return
		}
	}
	if argv := desktopClipboard(os.Getenv("WAYLAND_DISPLAY"), os.Getenv("DISPLAY")); argv != nil {
		m.asker.ask(laneCopy, func(ctx context.Context, tell func(tea.Msg)) { tell(copiedMsg{argv[0], handOver(ctx, argv, text)}) })
	}
	m.say("copied " + what + cut)
}

// osc52 is the sequence that sets a terminal's clipboard. tmux hands it on only
// in an envelope of its own.
func osc52(text string, tmux bool) string {
	s := "\x1b]52;c;" + base64.StdEncoding.EncodeToString([]byte(text)) + "\a"
	if tmux {
		s += "\x1bPtmux;" + strings.ReplaceAll(s, "\x1b", "\x1b\x1b") + "\x1b\\"
	}
	return s
}

// desktopClipboard is the command that sets the clipboard of a desktop: Wayland's,
// X's, macOS's.
func desktopClipboard(wayland, x string) []string {
	for _, c := range []struct {
		on   bool
		argv []string
	}{
		{wayland != "", []string{"wl-copy"}},
		{x != "", []string{"xclip", "-selection", "clipboard"}},
		{x != "", []string{"xsel", "-ib"}},
		{true, []string{"pbcopy"}},
	} {
		if c.on {
			if _, err := exec.LookPath(c.argv[0]); err == nil {
				return c.argv
			}
		}
	}
	return nil
}

// maxHandOver is how long such a command may take.
const maxHandOver = 10 * time.Second

func handOver(ctx context.Context, argv []string, text string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxHandOver) // also when amber is being left
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(text)
	return cmd.Run()
}

// copiedMsg is what became of a copy for the desktop.
type copiedMsg struct {
	by  string
	err error
}

func (c copiedMsg) take(*model) error {
	if c.err != nil {
		return fmt.Errorf("copied for the terminal; the desktop's clipboard did not take it: %s: %w", c.by, c.err)
	}
	return nil
}

// copyHere copies what one stands on.
func (m *model) copyHere() {
	switch m.here() {
	case atDetail:
		d := &m.tl.detail
		if f, ok := d.field(); ok {
			m.copyText(f.value, f.name)
		} else if d.tab == 1 {
			m.copyText(string(d.raw), "the record")
		}
	case atFacets:
		if l, ok := m.facetHere(); ok && l.value >= 0 {
			m.copyText(m.tl.facets.fields[l.field].values[l.value].Key, "the value")
		}
	case atFindings:
		if f := m.finding(); f != nil {
			m.copyText(f.Title+" "+strings.Join(f.Entities, " "), "the finding")
		}
	case atProcesses:
		if x := m.process(); x != nil {
			m.copyText(commandOf(x), "the command line")
		}
	case atDeeds:
		if p := &m.procs.did; p.list.sel < len(p.deeds) {
			d := p.deeds[p.list.sel]
			m.copyText(strings.TrimSpace(d.verb+" "+d.object), "what it did")
		}
	case atEvidence:
		if n := m.node(); n != nil {
			m.copyText(strings.TrimSpace(n.text+" "+n.more), "the line")
		}
	case atStory:
		m.copyText(m.storyMarkdown(), "the story as Markdown")
	default:
		if r := m.tl.win.selected(); r != nil {
			m.copyText(goTime(r.Time.Micros).Format("2006-01-02T15:04:05.000000Z")+" "+m.rowText(r)+" "+hex.EncodeToString(r.ID[:]), "the row")
		}
	}
}
