package tui

import (
	"fmt"
	"strings"
	"time"

	"amber/timeline"
	"amber/timeline/query"
)

// clock is how times are shown.
type clock int

const (
	clockUTC clock = iota
	clockLocal
	clockRelative
)

func (c clock) String() string { return [...]string{"UTC", "local", "relative"}[c] }

// clockNamed is the clock of a name; UTC for one that is not known.
func clockNamed(name string) clock {
	for c := clockUTC; c <= clockRelative; c++ {
		if c.String() == name {
			return c
		}
	}
	return clockUTC
}

// times shows times. Zero is what relative ones count from, for good once counts
// is set.
type times struct {
	clock  clock
	zero   int64
	counts bool
}

func goTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func (t times) in(micros int64) time.Time {
	if t.clock == clockLocal {
		return goTime(micros).Local()
	}
	return goTime(micros)
}

// row is a time as the list shows it, 12 cells.
func (t times) row(micros int64) string {
	if t.clock == clockRelative {
		return fmt.Sprintf("%12s", t.since(micros))
	}
	return t.in(micros).Format("15:04:05.000")
}

// short is a time to the second; a distance has its thousandths.
func (t times) short(micros int64) string {
	if t.clock == clockRelative {
		return fmt.Sprintf("%10s", t.since(micros))
	}
	return t.in(micros).Format("15:04:05")
}

// since is the distance to zero.
func (t times) since(micros int64) string {
	sign := '+'
	d := micros - t.zero
	if d < 0 {
		sign, d = '-', -d
	}
	switch s := d / 1e6; {
	case d < 0: // the smallest number
		return "-"
	case s < 3600:
		return fmt.Sprintf("%c%d:%02d.%03d", sign, s/60, s%60, d/1000%1000)
	case s < 86400*4:
		return fmt.Sprintf("%c%d:%02d:%02d", sign, s/3600, s/60%60, s%60)
	default:
		return fmt.Sprintf("%c%dd%02d:%02d", sign, s/86400, s/3600%24, s/60%60)
	}
}

// full is a time with all that is known of it.
func (t times) full(at timeline.Time) string {
	if at == timeline.NoTime {
		return "-"
	}
	s := time.UnixMicro(at.Micros).Add(time.Duration(at.Nanos))
	switch t.clock {
	case clockLocal:
		return s.Local().Format("2006-01-02T15:04:05.999999999Z07:00")
	case clockRelative:
		return t.since(at.Micros) + "  " + s.UTC().Format(time.RFC3339Nano)
	}
	return s.UTC().Format(time.RFC3339Nano)
}

// day is the date of a time, with the clock's name.
func (t times) day(micros int64) string { return t.in(micros).Format("2006-01-02") }

// tick labels the axis of a histogram whose bars are so wide.
func (t times) tick(micros, width int64) string {
	at := t.in(micros)
	switch {
	case t.clock == clockRelative:
		return t.since(micros)
	case width >= 86400e6:
		return at.Format("2006-01-02")
	case width >= 60e6:
		return at.Format("01-02 15:04")
	case width >= 1e6:
		return at.Format("15:04:05")
	}
	return at.Format("15:04:05.000")
}

// jump reads where to go: +5m and -1h30m from where one stands, otherwise a
// time as queries write it, 02:10 on the day where one stands.
func jump(text string, from int64, now time.Time) (int64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, fmt.Errorf("write +5m, -1h, 02:10, 2026-11-22T02:10 or now-1h")
	}
	if text[0] == '+' || text[0] == '-' {
		text, now = "now"+distance(text), goTime(from)
	}
	if len(text) > 2 && text[2] == ':' {
		text = goTime(from).Format("2006-01-02T") + text
	}
	e, err := query.Parse("@timestamp:["+strings.Replace(text, " ", "T", 1)+" TO *]", query.Options{Now: now})
	if err != nil {
		return 0, fmt.Errorf("%s is no time: write +5m, -1h, 02:10, 2026-11-22T02:10 or now-1h", text)
	}
	if r, ok := e.(*query.TimeRange); ok && r.From != timeline.NoTime {
		return r.From.Micros, nil
	}
	return 0, fmt.Errorf("%s is no time", text)
}

// distance gives every part of a distance the sign of the first: +1m30s is +1m+30s.
func distance(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; i > 1 && '0' <= c && c <= '9' && 'a' <= text[i-1]|0x20 && text[i-1]|0x20 <= 'z' {
			b.WriteByte(text[0])
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// span is a range of time, in microseconds; both zero is all.
type span struct{ From, To int64 }

func (s span) all() bool { return s == span{} }

// expr narrows a filter down to the span.
func (s span) expr(where timeline.Expr) timeline.Expr {
	if s.all() {
		return where
	}
	r := &query.TimeRange{
		Field: query.Field{Name: "@timestamp", Kind: query.Time},
		From:  timeline.Time{Micros: s.From}, To: timeline.Time{Micros: s.To},
	}
	return and(where, r)
}

// and joins filters; nil matches all.
func and(a, b timeline.Expr) timeline.Expr {
	switch {
	case isAll(a):
		return b
	case isAll(b):
		return a
	}
	return &query.And{Terms: []timeline.Expr{a, b}}
}

func isAll(e timeline.Expr) bool {
	if e == nil {
		return true
	}
	_, ok := e.(query.All)
	return ok
}

// widths are what a histogram's bars may be wide, in microseconds.
var widths = [...]int64{
	1, 10, 100, 1e3, 1e4, 1e5, 5e5, 1e6, 2e6, 5e6, 10e6, 15e6, 30e6, 60e6, 120e6, 300e6, 600e6, 900e6, 1800e6,
	3600e6, 2 * 3600e6, 6 * 3600e6, 12 * 3600e6, 86400e6, 2 * 86400e6, 7 * 86400e6, 30 * 86400e6, 365 * 86400e6,
}

// barWidth is the narrowest of them by which a span takes at most n bars.
func barWidth(s span, n int) int64 {
	for _, w := range widths {
		if floor(s.To-1, w)/w-floor(s.From, w)/w+1 <= int64(n) {
			return w
		}
	}
	years := (s.To - s.From) / (365 * 86400e6) / int64(max(1, n))
	return (years + 2) * 365 * 86400e6
}

// floor is the multiple of w that is not above t.
func floor(t, w int64) int64 {
	f := t - t%w
	if t < 0 && f != t {
		f -= w
	}
	return f
}

// widthText is a bar's width in words.
func widthText(w int64) string {
	switch {
	case w >= 86400e6:
		return fmt.Sprintf("%dd", w/86400e6)
	case w >= 1e6:
		s := (time.Duration(w) * time.Microsecond).String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		if strings.HasSuffix(s, "h0m") {
			s = strings.TrimSuffix(s, "0m")
		}
		return s
	}
	return (time.Duration(w) * time.Microsecond).String()
}
