package velociraptor

import (
	"bytes"

	"amber/timeline"
	"amber/timeline/source/jsonscan"
	"amber/timeline/source/macb"
	"amber/timeline/source/members"
)

// times are a file's four, or when something happened, was made, or was
// collected.
func (p *parser) times() (at timeline.Time, four macb.Times, err error) {
	four = macb.Times{Modified: timeline.NoTime, Accessed: timeline.NoTime, Changed: timeline.NoTime, Born: timeline.NoTime}
	if len(p.Get(happened)) == 0 && len(p.Get(filePath)) > 0 {
		for i, to := range [...]*timeline.Time{&four.Modified, &four.Accessed, &four.Changed, &four.Born} {
			if v := p.Get(modified + i); len(v) > 0 {
				if t, ok := instant(v); ok {
					*to = t
				}
			}
		}
		if !four.None() {
			return at, four, nil
		}
	}
	for _, slot := range [...]int{happened, created, collected} {
		v := p.Get(slot)
		if len(v) == 0 {
			continue
		}
		if t, ok := instant(v); ok {
			return t, four, nil
		}
		if slot != created {
			err = members.BadTime(v, "a row's time")
		}
	}
	switch {
	case p.about.made != timeline.NoTime:
		return p.about.made, four, nil
	case err != nil:
		return at, four, err
	}
	return at, four, members.NoTime("a row without a time, in a collection without one")
}

// maxSeconds is the end of the year 9999.
const maxSeconds = 253_402_300_799

// instant reads ISO 8601, or a number since 1970: of seconds, with decimals, and
// where it is too large for those of milli-, micro- or nanoseconds.
func instant(v []byte) (timeline.Time, bool) {
	if t, zone, ok := timeline.ParseTime(v); ok {
		return t, zone && t.Micros > -62135596800*1_000_000
	}
	whole, rest, _ := bytes.Cut(v, []byte{'.'})
	if len(whole) == 19 { // nanoseconds
		micros, ok := jsonscan.ParseInt(whole[:16])
		nanos, fine := jsonscan.ParseInt(whole[16:])
		return timeline.Time{Micros: micros, Nanos: int16(nanos)}, ok && fine && micros > 0
	}
	n, ok := jsonscan.ParseInt(whole)
	if !ok || n <= 0 {
		return timeline.NoTime, false
	}
	for _, unit := range [...]int64{1_000_000, 1000, 1} {
		if n <= maxSeconds/100 || unit < 1_000_000 && n <= maxSeconds*(1_000_000/unit)/100 {
			return timeline.Time{Micros: n*unit + fraction(rest, unit)}, true
		}
	}
	return timeline.Time{Micros: n / 1000, Nanos: int16(n % 1000)}, true
}

// fraction is of a unit, in microseconds.
func fraction(digits []byte, unit int64) (n int64) {
	for _, c := range digits {
		if unit /= 10; c < '0' || c > '9' || unit == 0 {
			break
		}
		n += int64(c-'0') * unit
	}
	return n
}

func (p *parser) row(at timeline.Time) {
	e, a := &p.E, &p.about
	e.Time = at
	e.Const(timeline.EventDataset, "velociraptor")
	e.Str(timeline.EventProvider, a.artefact)
	if len(a.artefact) > 0 {
		e.Str(timeline.EventAction, a.artefact)
	} else {
		e.Const(timeline.EventAction, "collected")
	}
	if !e.Has(timeline.HostName) {
		e.Str(timeline.HostName, a.host)
	}
	id := p.Get(client)
	if len(id) == 0 {
		id = a.client
		e.Put("velociraptor.ClientId", id)
	}
	e.Str(timeline.HostID, id)
	e.Put("velociraptor.FlowId", a.session)
	if !p.told() {
		p.kind()
	}
	e.Str(timeline.Message, p.message())
}

// kind tells by what the row has what it is about.
func (p *parser) kind() {
	e := &p.E
	switch {
	case e.Has(timeline.DestinationIP):
		e.AddConst(timeline.EventCategory, "network")
	case e.Has(timeline.ProcessPID):
		e.AddConst(timeline.EventCategory, "process")
	case e.Has(timeline.FilePath):
		return // by its times
	}
	e.AddConst(timeline.EventType, "info")
}

// message is the artefact's name and what tells most of the row.
func (p *parser) message() []byte {
	e := &p.E
	if v := p.Get(said); len(v) > 0 {
		return p.Say(p.about.artefact, v[:min(len(v), 32<<10)])
	}
	return p.Say(p.about.artefact, e.GetStr(timeline.UserName), p.Get(name), p.Get(commandLine), p.Get(filePath), e.GetStr(timeline.SourceIP), e.GetStr(timeline.DestinationIP))
}
