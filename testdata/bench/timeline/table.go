package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// table is what | amber | other | ratio | target.
type table struct{ rows [][5]string }

func (t *table) head(text string) { t.rows = append(t.rows, [5]string{text, "-"}) }

func (t *table) line(what, amber, other, ratio, target string) {
	t.rows = append(t.rows, [5]string{"  " + what, amber, other, ratio, target})
}

// faster adds two rates; least is how many times the other's is wanted.
func (t *table) faster(what string, amber, other, least float64) {
	ratio := amber / other
	t.line(what, fmt.Sprintf("%.0f k/s", amber/1e3), fmt.Sprintf("%.0f k/s", other/1e3), fmt.Sprintf("%.2f", ratio),
		fmt.Sprintf("≥ %.1f, %s", least, met(ratio >= least)))
}

// beside adds two times, with a bound for amber's (0 for none) and for the
// ratio, which must not be above one.
func (t *table) beside(what string, amber, other, bound time.Duration) {
	target := fmt.Sprintf("≤ 1.0, %s", met(amber <= other))
	if bound > 0 {
		target = fmt.Sprintf("< %s, %s; %s", text(bound), met(amber < bound), target)
	}
	t.line(what, text(amber), text(other), fmt.Sprintf("%.2f", float64(amber)/float64(other)), target)
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

func mib(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }

func median(times []time.Duration) time.Duration {
	s := slices.Clone(times)
	slices.Sort(s)
	return s[len(s)/2]
}
