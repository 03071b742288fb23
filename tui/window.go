package tui

import "amber/timeline"

// window is the part of a long list of rows that is in memory: a few pages that
// follow one another, and which of their rows is on top and which is chosen.
type window struct {
	pages []rowsPage
	top   int // of the screen, counted from the first row in memory
	sel   int
}

// rowsPage is one page, in the order of time whichever way it was read.
type rowsPage struct {
	rows          []timeline.Row
	before, after timeline.Cursor // empty: nothing lies there
}

// maxPages are kept; what lies further off is read again when it is needed.
const maxPages = 5

// forwards makes a page of one that was read forwards.
func forwards(p timeline.Page) rowsPage { return rowsPage{p.Rows, p.Prev, p.Next} }

// backwards turns a page that was read backwards.
func backwards(p timeline.Page) rowsPage {
	for i, j := 0, len(p.Rows)-1; i < j; i, j = i+1, j-1 {
		p.Rows[i], p.Rows[j] = p.Rows[j], p.Rows[i]
	}
	return rowsPage{p.Rows, p.Next, p.Prev}
}

func (w *window) len() (n int) {
	for _, p := range w.pages {
		n += len(p.rows)
	}
	return n
}

// at is the i-th row in memory, nil where there is none.
func (w *window) at(i int) *timeline.Row {
	for p := range w.pages {
		if i < 0 {
			return nil
		}
		if i < len(w.pages[p].rows) {
			return &w.pages[p].rows[i]
		}
		i -= len(w.pages[p].rows)
	}
	return nil
}

func (w *window) selected() *timeline.Row { return w.at(w.sel) }

func (w *window) before() timeline.Cursor {
	if len(w.pages) == 0 {
		return ""
	}
	return w.pages[0].before
}

func (w *window) after() timeline.Cursor {
	if len(w.pages) == 0 {
		return ""
	}
	return w.pages[len(w.pages)-1].after
}

// start begins anew with a page.
func (w *window) start(p rowsPage) { *w = window{pages: []rowsPage{p}} }

// append adds a page behind; what is too far before is forgotten.
func (w *window) append(p rowsPage) {
	w.pages[len(w.pages)-1].after = p.after
	if len(p.rows) > 0 {
		w.pages = append(w.pages, p)
	}
	for len(w.pages) > maxPages && w.top >= len(w.pages[0].rows) && w.sel >= len(w.pages[0].rows) {
		n := len(w.pages[0].rows)
		w.pages = append([]rowsPage(nil), w.pages[1:]...)
		w.top, w.sel = w.top-n, w.sel-n
	}
}

// prepend adds a page before; what is too far behind is forgotten.
func (w *window) prepend(p rowsPage) {
	w.pages[0].before = p.before
	if len(p.rows) == 0 {
		return
	}
	w.pages = append([]rowsPage{p}, w.pages...)
	w.top, w.sel = w.top+len(p.rows), w.sel+len(p.rows)
	for n := w.len(); len(w.pages) > maxPages; {
		last := len(w.pages[len(w.pages)-1].rows)
		if n -= last; w.sel >= n {
			break
		}
		w.pages = w.pages[:len(w.pages)-1]
	}
}

// move goes d rows down, and keeps the chosen row on a screen of h rows.
func (w *window) move(d, h int) {
	w.sel = max(0, min(w.sel+d, w.len()-1))
	w.show(h)
}

// show moves the screen so that the chosen row is on it.
func (w *window) show(h int) {
	n := w.len()
	w.top = max(min(w.top, w.sel), w.sel-h+1)
	w.top = max(0, min(w.top, n-h))
}

// find chooses a row by its id and tells whether it is there.
func (w *window) find(id timeline.RowID) bool {
	i := 0
	for _, p := range w.pages {
		for j := range p.rows {
			if p.rows[j].ID == id {
				w.sel = i
				return true
			}
			i++
		}
	}
	return false
}

// list is a list that is in memory as a whole: what is chosen, and what is on
// top of the screen.
type list struct{ sel, top int }

func (l *list) move(d, n, h int) {
	l.sel = max(0, min(l.sel+d, n-1))
	l.show(n, h)
}

func (l *list) show(n, h int) {
	l.sel = max(0, min(l.sel, n-1))
	l.top = max(min(l.top, l.sel), l.sel-h+1)
	l.top = max(0, min(l.top, n-h))
}
