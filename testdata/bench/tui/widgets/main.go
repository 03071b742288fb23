// Widgets measures the widgets that others have made for Bubble Tea, at what
// amber's screen does by itself: the time of a frame's part and of a key, what
// they cost before main, and what becomes of a text that would do something to a
// terminal. docs/decisions/screen-widgets.md tells what came of it; amber's own
// figures are those of
//
//	go test -run '^$' -bench Widget ./tui
//
// It is a module of its own, so that amber does not depend on what it does
// without.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/NimbleMarkets/ntcharts/barchart"
	"github.com/NimbleMarkets/ntcharts/sparkline"
	"github.com/charmbracelet/bubbles/help"
	"github.com/charmbracelet/bubbles/key"
	"github.com/charmbracelet/bubbles/textinput"
	"github.com/charmbracelet/bubbles/viewport"
	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"
)

const hostile = "a\x1b[2J\u202eb\u200bc"

func main() {
	lipgloss.SetHasDarkBackground(true)
	if len(os.Args) > 1 {
		return // what it costs before main is in the trace
	}
	for _, w := range []struct {
		name string
		run  func(b *testing.B)
	}{
		{"bubbles/textinput: a key and its view, 120 cells", input},
		{"bubbles/viewport: a line down and its view, 120x38 of 5,000 lines", scroll},
		{"bubbles/help: the short help, 9 keys", hints},
		{"bubbles/key: what a key means, the last of 120 bindings", match},
		{"ntcharts/barchart: 111 bars of 7 parts, 6 lines", bars},
		{"ntcharts/sparkline: 60 numbers, a line", spark},
	} {
		r := testing.Benchmark(w.run)
		fmt.Printf("%-68s %10.1f us %8d allocs\n", w.name, float64(r.NsPerOp())/1000, r.AllocsPerOp())
	}
	for name, view := range map[string]func(string) string{"textinput": typed, "viewport": shown, "help": explained, "barchart": labelled} {
		fmt.Printf("%-68s %v\n", name+": an escape sequence reaches the terminal", strings.Contains(view(hostile), "\x1b[2J"))
		fmt.Printf("%-68s %v\n", name+": a bidirectional control reaches the terminal", strings.Contains(view(hostile), "\u202e"))
	}
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func typedInput() textinput.Model {
	in := textinput.New()
	in.Width = 118
	in.Focus()
	in.SetValue("user.name:mallory AND NOT event.action:(get OR list) AND source.ip:203.0.113.9")
	return in
}

func input(b *testing.B) {
	in := typedInput()
	for i := range b.N {
		msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune{'x'}}
		if i%2 == 1 {
			msg = tea.KeyMsg{Type: tea.KeyBackspace}
		}
		in, _ = in.Update(msg)
		_ = in.View()
	}
}

func scroll(b *testing.B) {
	v := viewport.New(120, 38)
	v.SetContent(strings.Repeat(lipgloss.NewStyle().Foreground(lipgloss.Color("75")).Render("02:11:40.000 K exec           mallory            pods/exec shop/web-3: /bin/sh")+"\n", 5000))
	for i := range b.N {
		v.SetYOffset(i % 4000)
		_ = v.View()
	}
}

func bindings(n int) (all []key.Binding) {
	for i := range n {
		k := fmt.Sprint("f", i)
		all = append(all, key.NewBinding(key.WithKeys(k, k+"x"), key.WithHelp(k, "what it does")))
	}
	return all
}

func hints(b *testing.B) {
	h := help.New()
	h.Width = 100
	all := bindings(9)
	for range b.N {
		_ = h.ShortHelpView(all)
	}
}

func match(b *testing.B) {
	all := bindings(120)
	msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("f119")}
	for range b.N {
		for i := range all {
			if key.Matches(msg, all[i]) {
				break
			}
		}
	}
}

func bars(b *testing.B) {
	for range b.N {
		c := barchart.New(111, 6, barchart.WithNoAxis(), barchart.WithBarWidth(1), barchart.WithBarGap(0))
		for i := range 111 {
			d := barchart.BarData{}
			for p := range 7 {
				d.Values = append(d.Values, barchart.BarValue{Name: "x", Value: float64((i*p)%13 + 1), Style: lipgloss.NewStyle().Foreground(lipgloss.Color(fmt.Sprint(30 + p)))})
			}
			c.Push(d)
		}
		c.Draw()
		_ = c.View()
	}
}

func spark(b *testing.B) {
	for range b.N {
		s := sparkline.New(60, 1)
		for i := range 60 {
			s.Push(float64(i * 7 % 11))
		}
		s.Draw()
		_ = s.View()
	}
}

func typed(text string) string {
	in := textinput.New()
	in.Focus()
	in.SetValue(text)
	return in.View()
}

func shown(text string) string {
	v := viewport.New(80, 3)
	v.SetContent(text)
	return v.View()
}

func explained(text string) string {
	return help.New().ShortHelpView([]key.Binding{key.NewBinding(key.WithKeys("x"), key.WithHelp("x", text))})
}

func labelled(text string) string {
	c := barchart.New(40, 6)
	c.Push(barchart.BarData{Label: text, Values: []barchart.BarValue{{Name: "x", Value: 1}}})
	c.Draw()
	return c.View()
}

// start tells what the packages cost before main.
func start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "quiet")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err
	}
	for _, m := range regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, (\d+) bytes`).FindAllStringSubmatch(string(out), -1) {
		if strings.HasPrefix(m[1], "github.com/") {
			fmt.Printf("before main: %-55s %10s ms %8s bytes\n", m[1], m[2], m[3])
		}
	}
	return nil
}
