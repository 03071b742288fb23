package tui

import (
	"cmp"
	"fmt"
	"os"
	"strings"
)

// paint is how a text is laid on a line: what is written before and after it,
// and the cells that it fills, 0 for as many as it needs.
type paint struct {
	on, off string
	width   int
}

func sgr(codes string) paint { return paint{on: "\x1b[" + codes + "m", off: "\x1b[0m"} }

// wide gives the paint for a column of so many cells.
func (p paint) wide(cells int) paint {
	p.width = cells
	return p
}

func (p paint) of(s string) string {
	if p.on == "" || s == "" {
		return s
	}
	return p.on + s + p.off
}

// Styles are the looks of what is shown, by what it is.
type Styles struct {
	Title, Tab, Here         paint // the bar at the top
	Dim, Key, Rule           paint // what is secondary; a key in a hint; a border
	Selected, Faded          paint // the row one stands on, with and without the focus
	Match, Marked, Pinned    paint
	Good, Warn, Bad, Error   paint
	Sources                  [8]paint
	Levels                   [5]paint // informational to critical
	Status, Field, BreadLast paint
}

// Themes are the names that --theme takes.
func Themes() []string { return []string{"dark", "light", "high-contrast", "16-colour", "monochrome"} }

// stylesOf gives a theme. Its sources' colours are those of Okabe and Ito, which
// colour-blind readers tell apart; glyphs stand beside them.
func stylesOf(theme string) (Styles, error) {
	switch theme {
	case "dark":
		return colours([8]int{75, 214, 36, 227, 33, 208, 175, 250}, "38;5;250", "38;5;244", "48;5;24;38;5;231", "48;5;238;38;5;252"), nil
	case "light":
		return colours([8]int{26, 130, 29, 94, 19, 166, 126, 240}, "38;5;236", "38;5;243", "48;5;153;38;5;16", "48;5;253;38;5;16"), nil
	case "high-contrast":
		s := colours([8]int{51, 226, 46, 231, 45, 214, 213, 255}, "1;38;5;231", "38;5;255", "48;5;226;38;5;16;1", "48;5;255;38;5;16")
		s.Bad, s.Error = sgr("1;48;5;160;38;5;231"), sgr("1;48;5;160;38;5;231")
		return s, nil
	case "16-colour":
		return sixteen(), nil
	case "monochrome":
		return monochrome(), nil
	}
	return Styles{}, fmt.Errorf("there is no theme %q: there are %s", theme, strings.Join(Themes(), ", "))
}

func colours(sources [8]int, text, dim, selected, faded string) Styles {
	s := Styles{
		Title: sgr("1;" + text), Tab: sgr(dim), Here: sgr("1;" + selected), Dim: sgr(dim), Key: sgr("1;" + text), Rule: sgr(dim),
		Selected: sgr(selected), Faded: sgr(faded), Match: sgr("1;7"), Marked: sgr("1"), Pinned: sgr("1"),
		Good: indexed(sources[2]), Warn: indexed(sources[1]), Bad: sgr("1;" + fg(sources[5])), Error: sgr("1;" + fg(sources[5])),
		Status: sgr(dim), Field: indexed(sources[0]), BreadLast: sgr("1;" + text),
	}
	for i, c := range sources {
		s.Sources[i] = indexed(c)
	}
	s.Levels = [5]paint{sgr(dim), indexed(sources[0]), indexed(sources[1]), sgr("1;" + fg(sources[5])), sgr("1;7;" + fg(sources[5]))}
	return s
}

func fg(c int) string { return fmt.Sprintf("38;5;%d", c) }

func indexed(c int) paint { return sgr(fg(c)) }

func sixteen() Styles {
	s := monochrome()
	for i, c := range []string{"36", "33", "32", "93", "34", "31", "35", "37"} {
		s.Sources[i] = sgr(c)
	}
	s.Good, s.Warn, s.Bad, s.Error, s.Field = sgr("32"), sgr("33"), sgr("1;31"), sgr("1;31"), sgr("36")
	s.Levels = [5]paint{{}, sgr("36"), sgr("33"), sgr("1;31"), sgr("1;7;31")}
	return s
}

func monochrome() Styles {
	bold, reverse := sgr("1"), sgr("7")
	return Styles{
		Title: bold, Here: reverse, Key: bold, Selected: reverse, Faded: sgr("4"), Match: sgr("1;4"), Marked: bold, Pinned: bold,
		Bad: bold, Error: bold, BreadLast: bold, Levels: [5]paint{{}, {}, {}, bold, sgr("1;7")},
	}
}

// look is how everything is drawn.
type look struct {
	Styles
	cutter
	glyphs
	theme string
}

// glyphs are the signs beside colours.
type glyphs struct {
	bars               []string // eighths of a cell, from the lowest
	full, rule, column string
	crumb, here, mark  string
	pin, open, shut    string
	dot, bad, down, up string
	branch, last, pipe string
	alarm              string
}

func glyphsOf(ascii bool) glyphs {
	if ascii {
		return glyphs{
			bars: []string{".", ":", "|", "#"}, full: "#", rule: "-", column: "|", crumb: ">", here: ">", mark: "*",
			pin: "^", open: "v", shut: ">", dot: "o", bad: "x", down: "v", up: "^", branch: "|-", last: "`-", pipe: "| ", alarm: "!",
		}
	}
	return glyphs{
		bars: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}, full: "█", rule: "─", column: "│", crumb: "›", here: "▸", mark: "*",
		pin: "◆", open: "▾", shut: "▸", dot: "●", bad: "✗", down: "↓", up: "↑", branch: "├─", last: "└─", pipe: "│ ", alarm: "!",
	}
}

func newLook(theme string, ascii bool) (look, error) {
	s, err := stylesOf(theme)
	k := look{Styles: s, cutter: cutter{ascii: ascii, more: "…"}, glyphs: glyphsOf(ascii), theme: theme}
	if ascii {
		k.more = "~"
	}
	return k, err
}

// lookFor chooses by the environment where no theme is named.
func lookFor(theme string) (look, error) {
	ascii := !utf8Terminal(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	switch {
	case theme != "":
	case os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb":
		theme = "monochrome"
	case strings.Contains(os.Getenv("TERM"), "256color") || os.Getenv("COLORTERM") != "":
		theme = "dark"
	default:
		theme = "16-colour"
	}
	if os.Getenv("TERM") == "linux" { // its font has few signs
		ascii = true
	}
	return newLook(theme, ascii)
}

// utf8Terminal tells by the first variable that is set, as setlocale(3) does.
func utf8Terminal(names ...string) bool {
	for _, v := range names {
		if v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

// seg is a piece of a line with its look.
type seg struct {
	text string
	as   paint
}

// line lays pieces out, cuts what is beyond the width and fills the rest. Texts
// come as they are: it is here that they are made safe. Where over is set it is
// the look of all.
func (k *look) line(width int, over paint, segs ...seg) string {
	var b strings.Builder
	left := width
	b.WriteString(over.on)
	for _, s := range segs {
		text, w := k.cut(s.text, min(left, cmp.Or(s.as.width, left)))
		if s.as.width > w {
			fill := min(s.as.width, left) - w
			text, w = text+spaces(fill), w+fill
		}
		left -= w
		if over.on != "" {
			b.WriteString(text)
		} else {
			b.WriteString(s.as.of(text))
		}
		if left <= 0 {
			break
		}
	}
	b.WriteString(spaces(left))
	b.WriteString(over.off)
	return b.String()
}
