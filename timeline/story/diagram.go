package story

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"slices"

	"amber/evidence/safetext"
	"amber/timeline/correlate"
)

// Measures of the diagram, in pixels.
const (
	laneHeight = 34
	laneLeft   = 250
	laneTop    = 30
	stepWidth  = 26
	maxLanes   = 16
	maxArrows  = 60
)

// arrow is one sentence in the diagram.
type arrow struct {
	s        *Sentence
	tactic   int
	from, to int // lanes; to is -1 where it has none
}

// diagram draws the sentences in the order of time: a lane for each entity, an
// arrow from who acted to what was acted on.
func diagram(out io.Writer, st *Story) {
	lanes, arrows, left := lay(st)
	if len(arrows) == 0 {
		return
	}
	w, h := laneLeft+stepWidth*(len(arrows)+1), laneTop+laneHeight*len(lanes)
	fmt.Fprintf(out, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"who did what to what, in the order of time\">\n", w, h, w, h)
	fmt.Fprint(out, "<defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker></defs>\n")
	for i, ref := range lanes {
		y := laneTop + laneHeight*i
		fmt.Fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\" font-size=\"12\" fill=\"currentColor\">%s<title>%s</title></text>\n", laneLeft-10, y+4, label(ref), hyper(ref.String()))
		fmt.Fprintf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"currentColor\" stroke-opacity=\"0.2\"/>\n", laneLeft, y, w-8, y)
	}
	for i, a := range arrows {
		a.draw(out, laneLeft+stepWidth*(i+1))
	}
	fmt.Fprint(out, "</svg>\n")
	legend(out, arrows, left)
}

// lay chooses the lanes, in the order in which they come up, and the arrows.
func lay(st *Story) (lanes []correlate.Ref, arrows []arrow, left int) {
	var all []arrow
	for i := range st.Sections {
		for j := range st.Sections[i].Sentences {
			if s := &st.Sections[i].Sentences[j]; s.actor.Name != "" || s.target.Name != "" {
				all = append(all, arrow{s: s, tactic: orderOf(st.Sections[i].Tactic)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b arrow) int { return compareTimes(a.s.First, b.s.First) })
	if len(all) > maxArrows {
		worst := slices.Clone(all)
		slices.SortStableFunc(worst, func(a, b arrow) int { return cmp.Compare(b.s.Level, a.s.Level) })
		worst = worst[:maxArrows]
		slices.SortStableFunc(worst, func(a, b arrow) int { return compareTimes(a.s.First, b.s.First) })
		left, all = len(all)-maxArrows, worst
	}
	lane := func(ref correlate.Ref) int {
		if ref.Name == "" {
			return -1
		}
		if i := slices.Index(lanes, ref); i >= 0 {
			return i
		}
		if len(lanes) >= maxLanes {
			return -1
		}
		lanes = append(lanes, ref)
		return len(lanes) - 1
	}
	for _, a := range all {
		a.from, a.to = lane(a.s.actor), lane(a.s.target)
		if a.from < 0 {
			a.from, a.to = a.to, -1
		}
		if a.from < 0 {
			left++
			continue
		}
		arrows = append(arrows, a)
	}
	return lanes, arrows, left
}

// colour tells tactics apart, on light and on dark.
func colour(tactic int) string { return fmt.Sprintf("hsl(%d 65%% 45%%)", tactic*360/(len(tactics)+1)) }

func (a *arrow) draw(out io.Writer, x int) {
	y := laneTop + laneHeight*a.from
	fmt.Fprintf(out, "<g stroke=\"%s\" fill=\"%s\">", colour(a.tactic), colour(a.tactic))
	dash := ""
	if a.s.Sure != correlate.Certain || a.s.Tie != "" {
		dash = " stroke-dasharray=\"4 3\""
	}
	fmt.Fprintf(out, "<circle cx=\"%d\" cy=\"%d\" r=\"4\"/>", x, y)
	if a.to >= 0 && a.to != a.from {
		end := laneTop + laneHeight*a.to
		fmt.Fprintf(out, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke-width=\"2\" marker-end=\"url(#end)\"%s/>", x, y, x, end, dash)
	}
	fmt.Fprintf(out, "<title>%s %s</title></g>\n", clock(a.s.First), hyper(a.s.Plain()))
}

// label is a lane's name, short enough for its place.
func label(ref correlate.Ref) string {
	s := []rune(safetext.Line(ref.String()))
	if len(s) > 36 {
		s = append(append(s[:18:18], '…'), s[len(s)-17:]...)
	}
	return html.EscapeString(string(s))
}

func legend(out io.Writer, arrows []arrow, left int) {
	fmt.Fprint(out, "<p class=\"proof\">")
	var seen []int
	for _, a := range arrows {
		if !slices.Contains(seen, a.tactic) {
			seen = append(seen, a.tactic)
		}
	}
	slices.Sort(seen)
	for _, t := range seen {
		name := "Also"
		if t < len(tactics) {
			name = tactics[t].name
		}
		fmt.Fprintf(out, "<span style=\"color:%s\">●</span> %s ", colour(t), name)
	}
	fmt.Fprint(out, "· dashed: not certain")
	if left > 0 {
		fmt.Fprintf(out, " · %s not drawn", plural(int64(left), "sentence", "sentences"))
	}
	fmt.Fprint(out, "</p>\n")
}
