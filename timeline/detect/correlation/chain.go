package correlation

import (
	"slices"

	"amber/timeline"
)

// chain is how far a group has come with rules that are to match one after the
// other. Hits of the same time stand in no order: they wait until the time goes
// on.
type chain struct {
	now  timeline.Time
	ties []tie
	best []link // for each number of rules in order, the one that began last
}

type tie struct {
	of    int
	place int64
}

// link is hits of the first rules in order.
type link struct {
	began  timeline.Time
	places []int64
}

// ordered takes a hit of the rule at a place of the order.
func (e *evaluation) ordered(g *group, now timeline.Time, of int, at int64) {
	if g.chain == nil {
		g.chain = &chain{best: make([]link, len(e.c.Of)+1)}
	}
	c := g.chain
	if c.now != now {
		e.settle(g)
		c.now = now
	}
	c.ties = append(c.ties, tie{of, at})
	g.last = now
}

// settle goes on with the hits of one time. A hit is one link of a chain at
// most: it goes on from chains of before, and from those that other hits of the
// same time made.
func (e *evaluation) settle(g *group) {
	c := g.chain
	if len(c.ties) == 0 {
		return
	}
	old := slices.Clone(c.best)
	for k := range e.c.Of {
		for _, t := range c.ties {
			if e.c.Of[t.of] != e.c.Of[k] {
				continue
			}
			if next, ok := e.link(c, old, k, t.place); ok && (c.best[k+1].places == nil || !before(next.began, c.best[k+1].began)) {
				c.best[k+1] = next
			}
		}
	}
	c.ties = c.ties[:0]
	if whole := c.best[len(e.c.Of)]; whole.places != nil {
		c.best[len(e.c.Of)] = link{}
		e.complete(g, whole)
	}
	if g.run != nil && c.now.Micros-g.run.Last.Micros > e.micros {
		e.close(g)
	}
}

// link is a chain of k hits and one more.
func (e *evaluation) link(c *chain, old []link, k int, place int64) (link, bool) {
	if k == 0 {
		return link{c.now, []int64{place}}, true
	}
	var best link
	for _, l := range []link{c.best[k], old[k]} {
		if l.places == nil || c.now.Micros-l.began.Micros > e.micros || slices.Contains(l.places, place) {
			continue
		}
		if best.places == nil || before(best.began, l.began) {
			best = l
		}
	}
	if best.places == nil {
		return link{}, false
	}
	return link{best.began, append(slices.Clone(best.places), place)}, true
}

// complete makes a finding, or goes on with the one that this one meets.
func (e *evaluation) complete(g *group, l link) {
	if g.run != nil && before(g.run.Last, l.began) {
		e.close(g)
	}
	if g.run == nil {
		g.run = &Found{Rule: e.rule, First: l.began, Met: g.chain.now, Group: e.named(g)}
	}
	for _, place := range l.places {
		if !slices.Contains(g.run.hits, place) {
			g.run.Count++
			if len(g.run.hits) < MaxRows {
				g.run.hits = append(g.run.hits, place)
			}
		}
	}
	g.run.Last = g.chain.now
}
