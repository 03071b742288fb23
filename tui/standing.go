package tui

// timelineStanding is which of how many rows one is on.
func (m *model) timelineStanding() string {
	o := &m.tl.over
	if m.tl.uncounted { // what was found so far
		return "at least " + plural(int64(m.tl.win.len()), "row")
	}
	if o.count == 0 && !o.exact {
		return ""
	}
	s := plural(o.count, "row")
	if !o.exact {
		s = "at least " + s
	}
	if n, sure := m.rank(); n > 0 {
		about := "~"
		if sure {
			about = ""
		}
		s = about + grouped(n) + " of " + s
	}
	if m.tl.follow {
		s = "following, " + s
	}
	return s
}

// rank is the number of the chosen row: counted where the rows in memory reach
// from it to an end of the list, otherwise about, by the bars before it.
func (m *model) rank() (n int64, sure bool) {
	w, o := &m.tl.win, &m.tl.over
	switch {
	case len(w.pages) > 0 && w.before() == "":
		return int64(w.sel + 1), true
	case len(w.pages) > 0 && w.after() == "" && o.exact && o.done:
		return o.count - int64(w.len()-1-w.sel), true
	}
	return m.about(), false
}

func (m *model) about() int64 {
	t := &m.tl
	o := &t.over
	if !t.view.HasAt || o.width == 0 {
		return 0
	}
	n := o.before
	if t.view.At < o.span.From {
		return 0
	}
	first := floor(o.span.From, o.width)
	for i, c := range o.bars {
		from := max(first+int64(i)*o.width, o.span.From)
		to := min(first+int64(i+1)*o.width, o.span.To)
		if to > t.view.At {
			if from < t.view.At {
				n += int64(float64(c) * float64(t.view.At-from) / float64(to-from))
			}
			break
		}
		n += c
	}
	return min(n+1, o.count)
}
