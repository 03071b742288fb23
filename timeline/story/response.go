package story

import (
	"strings"

	"amber/timeline"
)

// response is when somebody responded with amber, by the case's custody log, and
// what was left out of the story for it. What calls itself amber at any other
// time is told like everything else.
type response struct {
	times       []timeline.Time // in order
	events      int64
	first, last timeline.Time
}

// nearby is how far from an entry of the custody log an event may be.
const nearby = minute

func (o *response) saw(t timeline.Time) { o.times = append(o.times, t) }

func (o *response) at(t timeline.Time) bool {
	for _, x := range o.times {
		if abs(x.Micros-t.Micros) <= nearby {
			return true
		}
	}
	return false
}

func (o *response) count(t timeline.Time) {
	if o.events == 0 || compareTimes(t, o.first) < 0 {
		o.first = t
	}
	if o.events == 0 || compareTimes(t, o.last) > 0 {
		o.last = t
	}
	o.events++
}

// responding tells amber's own requests to the API server, as far as the custody
// log bears them out.
func (t *teller) responding(v *view) bool {
	agent := v.text("user_agent.original")
	return (agent == "amber" || strings.HasPrefix(agent, "amber/")) && t.own.at(v.Time)
}
