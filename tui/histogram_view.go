package tui

import "fmt"

// chartHeight is how many lines the bars have.
func (m *model) chartHeight() int {
	switch h := m.h - 2; {
	case h < 14:
		return 0
	case h < 20:
		return 2
	case h < 30:
		return 4
	case h < 50:
		return 6
	default:
		return 8
	}
}

// chartLabel is how wide the numbers left of the bars are.
const chartLabel = 8

func (m *model) histogramBars() int { return max(10, min(m.w-chartLabel-1, 2048)) }

type chartKey struct {
	w, h, drawn int
	theme       string
	clock       clock
	ascii       bool
}

// chartView is the bars, h lines and their axis.
func (m *model) chartView(w, h int) []string {
	if h == 0 {
		return nil
	}
	t := &m.tl
	key := chartKey{w, h, t.over.drawn, m.k.theme, m.times.clock, m.k.ascii}
	lines := t.chart.get(key, func() []string { return m.drawChart(w, h) })
	return append(lines[:len(lines):len(lines)], m.axis(w))
}

func (m *model) drawChart(w, h int) []string {
	o := &m.tl.over
	var most int64 = 1
	for _, n := range o.bars {
		most = max(most, n)
	}
	lines := make([]string, h)
	for r := range h {
		label := ""
		if r == 0 && o.count > 0 {
			label = short(most)
		}
		lines[r] = m.k.Dim.of(m.k.right(label, chartLabel-1)+" ") + m.chartRow(w-chartLabel, h, h-1-r, most)
	}
	return lines
}

// chartRow is one line of the bars; row counts from the bottom.
func (m *model) chartRow(w, h, row int, most int64) string {
	o := &m.tl.over
	steps := int64(len(m.k.bars))
	var out []byte
	as, used := -2, 0
	for i := 0; i < len(o.bars) && used < w; i++ {
		high := (o.bars[i]*int64(h)*steps + most - 1) / most
		fill := min(steps, high-int64(row)*steps)
		glyph, colour := " ", -2
		if fill > 0 {
			glyph = m.k.bars[fill-1]
			colour = o.part(i, (int64(row)*steps+fill/2)*most/(int64(h)*steps))
		}
		if colour != as {
			out = m.turn(out, as, colour)
			as = colour
		}
		out = append(out, glyph...)
		used++
	}
	out = m.turn(out, as, -2)
	return string(out) + spaces(w-used)
}

// turn changes from one part's colour to another's; -2 is none.
func (m *model) turn(out []byte, from, to int) []byte {
	if from != -2 {
		out = append(out, m.partPaint(from).off...)
	}
	if to != -2 {
		out = append(out, m.partPaint(to).on...)
	}
	return out
}

// part is the number of the stack that has the n-th row of a bar, -1 for none.
func (o *overview) part(bar int, n int64) int {
	for i := range o.stacks {
		if bar < len(o.stacks[i].bars) {
			if n -= o.stacks[i].bars[bar]; n < 0 {
				return i
			}
		}
	}
	return -1
}

func (m *model) partPaint(i int) paint {
	if i < 0 {
		return m.k.Dim
	}
	return m.stackPaint(m.tl.over.stacks[i].name)
}

// stackPaint is the colour of a value of the field that the bars are made of.
func (m *model) stackPaint(name string) paint {
	switch stackFields()[m.tl.stack] {
	case "event.dataset":
		_, p := m.k.source(name)
		return p
	case "event.outcome":
		if name == "failure" {
			return m.k.Bad
		}
		return m.k.Good
	}
	return m.k.level(name)
}

// axis is the line below the bars: some times, and where the chosen row is.
func (m *model) axis(w int) string {
	t := &m.tl
	o := &t.over
	if o.width == 0 {
		return m.k.line(w, paint{}, seg{"  counting", m.k.Dim})
	}
	mark := -1
	if t.view.HasAt {
		mark = chartLabel + int((floor(t.view.At, o.width)-floor(o.span.From, o.width))/o.width)
	}
	cells := []byte(spaces(w))
	for i, last := 0, -1; i < len(o.bars); i++ {
		text := m.times.tick(floor(o.span.From, o.width)+int64(i)*o.width, o.width)
		x := chartLabel + i
		if x == mark {
			x++ // the label makes room for the mark
		}
		if x > last+3 && x+len(text) < w && (last < 0 || i%20 == 0) && (mark < x || mark >= x+len(text)) {
			copy(cells[x:], text)
			last = x + len(text)
		}
	}
	if o.before > 0 {
		copy(cells, short(o.before)+" <")
	}
	if more := "> " + short(o.behind); o.behind > 0 {
		copy(cells[max(0, w-len(more)-1):], more)
	}
	if mark < chartLabel || mark >= w {
		return m.k.line(w, paint{}, seg{string(cells), m.k.Dim})
	}
	return m.k.line(w, paint{}, seg{string(cells[:mark]), m.k.Dim}, seg{m.k.up, m.k.Key}, seg{string(cells[mark+1:]), m.k.Dim})
}

// short is a number in at most six cells.
func short(n int64) string {
	switch {
	case n < 100_000:
		return grouped(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	default:
		return fmt.Sprintf("%dM", n/1_000_000)
	}
}
