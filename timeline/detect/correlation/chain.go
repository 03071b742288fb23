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
	ways := make([][]link, len(c.best)) // chains of so many rules
	for k := range c.best {
		if c.best[k].places != nil {
			ways[k] = append(ways[k], c.best[k])
		}
	}
	for k := range e.c.Of {
		for _, t := range c.ties {
			if e.c.Of[t.of] == e.c.Of[k] && len(ways[k+1]) < maxWays {
				ways[k+1] = e.longer(ways[k+1], c, ways[k], k, t.place)
			}
		}
	}
	c.ties = c.ties[:0]
	for k := range c.best {
		c.best[k] = latest(ways[k])
	}
	if whole := c.best[len(e.c.Of)]; whole.places != nil {
		c.best[len(e.c.Of)] = link{}
		e.complete(g, whole)
	}
	if g.run != nil && c.now.Micros-g.run.Last.Micros > e.micros {
		e.close(g)
	}
}

// maxWays bounds the chains that hits of one time are tried with.
const maxWays = 64

// longer appends chains of k hits and one more.
func (e *evaluation) longer(to []link, c *chain, ways []link, k int, place int64) []link {
	if k == 0 {
		return append(to, link{c.now, []int64{place}})
	}
	for _, l := range ways {
		if c.now.Micros-l.began.Micros <= e.micros && !slices.Contains(l.places, place) {
			to = append(to, link{l.began, append(slices.Clone(l.places), place)})
		}
	}
	return to
}

// latest is the chain that began last: of all that can be gone on with, what
// comes finds it in the span the longest.
func latest(ways []link) (best link) {
	for _, l := range ways {
		if best.places == nil || !before(l.began, best.began) {
			best = l
		}
	}
	return best
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
