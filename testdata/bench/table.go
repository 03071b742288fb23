package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table is what | amber | other | ratio | target.
type table struct{ rows [][5]string }

func (t *table) head(text string) { t.rows = append(t.rows, [5]string{text, "-"}) }

// line adds a figure of amber's that nothing stands beside.
func (t *table) line(what, amber, target string) {
	t.rows = append(t.rows, [5]string{"  " + what, amber, "", "", target})
}

// beside adds two times and their ratio; most is the target, 0 for none.
func (t *table) beside(what string, amber, other time.Duration, most float64) {
	ratio := float64(amber) / float64(other)
	target := ""
	if most > 0 {
		target = fmt.Sprintf("≤ %.1f, %s", most, met(ratio <= most))
	}
	t.rows = append(t.rows, [5]string{"  " + what, text(amber), text(other), fmt.Sprintf("%.2f", ratio), target})
}

// other adds two figures in words.
func (t *table) other(what, amber, other string) {
	t.rows = append(t.rows, [5]string{"  " + what, amber, other, "", ""})
}

func met(yes bool) string {
	if yes {
		return "met"
	}
	return "NOT MET"
}

func (t *table) print(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprint(tw, "what\t| amber\t| other\t| ratio\t| target\n")
	for _, r := range t.rows {
		if r[1] == "-" {
			fmt.Fprintf(tw, "\t\t\t\t\n%s\t\t\t\t\n", r[0])
			continue
		}
		fmt.Fprintf(tw, "%s\t| %s\t| %s\t| %s\t| %s\n", r[0], r[1], r[2], r[3], r[4])
	}
	_ = tw.Flush()
}

// text is a time with three digits or so.
func text(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/1e6)
	case d < time.Second:
		return fmt.Sprintf("%.1f ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// rate is millions of bytes a second.
func rate(n int64, d time.Duration) string {
	return fmt.Sprintf("%.0f MB/s", float64(n)/1e6/d.Seconds())
}
