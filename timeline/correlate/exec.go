package correlate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"amber/timeline"
)

// request is an exec, attach or port-forward that the API server let through.
type request struct {
	self, pod       int32
	action          string
	container       string // its name, "" where the pod has but one
	command         string // in its normal form
	ports           string
	at              int64
	row             timeline.RowID
	time            timeline.Time
	rival           bool // another request fits the same process as well
	others          bool // another process fits as well
	best            int32
	score, distance int64
}

// The time in which what a request started is looked for: clocks differ a
// little, and a runtime takes its time.
const (
	startsBefore = int64(1e6)
	startsWithin = int64(5e6)
)

// What speaks for a process being what a request started, by bits.
const (
	sameContainer = 1 << iota
	sameName      // the container has the name that the request gives
	sameCommand
	cameIn // its parent is outside of the container
)

// settleRequests finds what exec, attach and port-forward requests led to.
func (b *builder) settleRequests() {
	f := newFinder(b)
	for i := range b.requests {
		q := &b.requests[i]
		switch q.action {
		case "exec":
			f.exec(q)
		case "attach":
			b.attached(f, q)
		case "port-forward":
			b.forwarded(f, q)
		}
	}
	f.rivals()
	for i := range b.requests {
		if q := &b.requests[i]; q.action == "exec" {
			b.starts(q)
		}
	}
}

// starts writes down what an exec started, and how sure that is.
func (b *builder) starts(q *request) {
	if q.best == none {
		return
	}
	p := &b.procs.all[q.best]
	var agree []string
	for _, a := range []struct {
		bit  int64
		text string
	}{
		{sameContainer, "the container"},
		{sameName, "its name"},
		{sameCommand, "the command"},
		{cameIn, "that nothing in the container started it"},
	} {
		if q.score&a.bit != 0 {
			agree = append(agree, a.text)
		}
	}
	agree = []string{words(agree) + " agree", fmt.Sprintf("and it started %s s from the request", seconds(p.start-q.at))}
	sure := Possible
	switch {
	case q.rival || q.others:
		if q.score&(sameContainer|sameCommand) == sameContainer|sameCommand {
			sure = Likely
		}
	case q.score&(sameContainer|sameCommand|cameIn) == sameContainer|sameCommand|cameIn && !p.inherited:
		sure = Certain
	case q.score&sameCommand != 0, q.score&(sameContainer|cameIn) == sameContainer|cameIn:
		sure = Likely
	}
	if q.rival {
		agree = append(agree, "but another request fits it as well")
	}
	if q.others {
		agree = append(agree, "but another process fits as well, and this one is nearer in time")
	}
	if q.score&sameCommand == 0 && q.command != "" {
		agree = append(agree, "but its command was not recorded")
	}
	if l := b.linkRow(Started, q.self, b.processEntity(q.best), sure, strings.Join(agree, ", "), q.time, q.row); l != nil {
		l.also(p.row)
		b.g.started[q.best] = startedBy{b.g.Entities[q.self].Ref, sure}
	}
}

// words joins reasons as prose does.
func words(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}

func seconds(micros int64) string {
	return strconv.FormatFloat(float64(micros)/1e6, 'f', 2, 64)
}

// attached takes the first process of the container for what was attached to.
func (b *builder) attached(f *finder, q *request) {
	for _, c := range f.podsOf[q.pod] {
		if q.container != "" && f.labels[c] != "" && f.labels[c] != q.container {
			continue
		}
		for _, i := range f.byContainer[c] {
			p := &b.procs.all[i]
			if p.start <= q.at && (p.parent == none || b.procs.all[p.parent].container != c) {
				b.linkRow(AttachedTo, q.self, b.processEntity(i), Possible, "it is the first known process of the container, and one is attached to the first", q.time, q.row).also(p.row)
				break
			}
		}
	}
}

// forwarded takes what listens on the port in the pod for what was reached.
func (b *builder) forwarded(f *finder, q *request) {
	wanted := strings.FieldsFunc(q.ports, func(r rune) bool { return r < '0' || r > '9' })
	for _, p := range b.ports {
		if !slices.Contains(wanted, strconv.FormatInt(p.port, 10)) {
			continue
		}
		i := b.procs.alive(b.g.byPid, p.host, p.pid, p.time.Micros, none)
		if i == none || !slices.Contains(f.podsOf[q.pod], cmp.Or(p.container, b.procs.all[i].container)) {
			continue
		}
		b.linkRow(Forwarded, q.self, b.processEntity(i), Likely, "it listens on port "+strconv.FormatInt(p.port, 10)+" in the pod", q.time, q.row).also(p.row)
	}
}

// normal is a command without what the sources write differently: quotes,
// escapes and runs of blanks.
func normal(command string) string {
	if isNormal(command) {
		return command
	}
	command = strings.Map(func(r rune) rune {
		switch r {
		case '\'', '"', '\\':
			return -1
		}
		return r
	}, command)
	return strings.Join(strings.Fields(command), " ")
}

// isNormal tells most commands that are so already: each is looked at for every
// request that was made when it started.
func isNormal(command string) bool {
	before := byte(' ')
	for i := range len(command) {
		c := command[i]
		if c < ' ' || c >= 0x7f || c == '\'' || c == '"' || c == '\\' || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' ' || command == ""
}

// sameWords compares commands in their normal form; of the first words the last
// parts of their paths. Where one was cut short the beginning has to agree.
func sameWords(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	first, rest, _ := strings.Cut(a, " ")
	other, more, _ := strings.Cut(b, " ")
	if baseName(first) != baseName(other) {
		return false
	}
	return rest == more || min(len(a), len(b)) >= maxText-64 && (strings.HasPrefix(rest, more) || strings.HasPrefix(more, rest))
}
