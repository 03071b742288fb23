package story

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"amber/timeline/correlate"
)

// prose builds the parts of a sentence.
type prose []Run

func (p *prose) say(text string) { *p = append(*p, Run{Text: text}) }

func (p *prose) name(ref correlate.Ref) {
	if words := kindWords(ref.Kind); words != "" {
		p.say(words + " ")
	}
	*p = append(*p, Run{Text: ref.Name, Kind: ref.Kind})
}

func (p *prose) code(text string) { *p = append(*p, Run{Text: text, Code: true}) }

// kindWords stand before a name, where it does not say itself what it is.
func kindWords(k correlate.Kind) string {
	switch k {
	case correlate.Account:
		return "the service account"
	case correlate.Pod:
		return "the pod"
	case correlate.Container:
		return "the container"
	case correlate.Node:
		return "the node"
	case correlate.Session:
		return "the session"
	case correlate.CloudRole:
		return "the role"
	case correlate.Token:
		return "the token"
	case correlate.AccessKey:
		return "the access key"
	case correlate.Instance:
		return "the instance"
	case correlate.Process:
		return "the process"
	}
	return ""
}

// shown are how many objects are named before the rest is counted.
const shown = 5

// sentence puts a step into words.
func (s *step) sentence() Sentence {
	var p prose
	s.did(&p)
	if s.where.Name != "" {
		p.say(cmp.Or(map[correlate.Kind]string{correlate.Node: " on "}[s.where.Kind], " in "))
		p.name(s.where)
	}
	if d := s.theDetail(); d != "" {
		p.say(" (" + d + ")")
	}
	s.origin(&p)
	if s.asker.Name != "" {
		p.say(map[correlate.Sure]string{correlate.Possible: ", possibly", correlate.Likely: ", likely", correlate.Certain: ","}[s.asked] + " by an exec of ")
		p.name(s.asker)
	}
	if n := s.count; n > 1 && n != int64(len(s.commands)) && (int64(len(s.objects)) < n || s.many || len(s.answer) > 0) {
		p.say(fmt.Sprintf(", %d times", n))
	}
	if s.failed != "" {
		p.say(": " + s.failed)
	}
	return Sentence{
		Text: p, Sure: correlate.Certain, Level: s.level, Techniques: s.techniques, Rules: s.rules, Findings: s.findings,
		Tie: s.weak, First: s.first, Last: s.last, Count: s.count, Rows: s.rows, actor: s.effective(), target: s.aim(),
	}
}

// did is who did what; of what a process did nobody is named.
func (s *step) did(p *prose) {
	if program := s.actor.Name == "" || s.actor.Kind == correlate.HostUser; program && s.code != "" && s.verb.past == "ran" {
		if len(s.commands) > 1 {
			p.say(fmt.Sprintf("%d commands of ", len(s.commands)))
			p.code(s.tool)
			p.say(map[bool]string{true: " were to be run: ", false: " were run: "}[s.failed != ""])
			p.commands(s.commands)
		} else {
			p.code(s.code)
			p.say(map[bool]string{true: " was to be run", false: " was run"}[s.failed != ""])
		}
		if s.actor.Name != "" {
			p.say(" as ")
			p.name(s.actor)
		}
		return
	}
	s.subject(p)
	p.say(" ")
	if s.failed != "" {
		p.say("tried to " + s.verb.base)
	} else {
		p.say(s.verb.past)
	}
	s.what(p)
	if s.code != "" {
		p.say(" ")
		p.code(s.code)
	}
}

func (s *step) effective() correlate.Ref {
	for _, ref := range []correlate.Ref{s.as, s.actor} {
		if ref.Name != "" {
			return ref
		}
	}
	return s.asker
}

// aim is what a diagram's arrow leads to.
func (s *step) aim() correlate.Ref {
	if s.where.Name != "" {
		return s.where
	}
	for _, ref := range s.refs {
		if ref.Kind == s.kind && ref != s.actor && ref != s.as {
			return ref
		}
	}
	return correlate.Ref{}
}

func (s *step) subject(p *prose) {
	switch {
	case s.actor.Name == "" && s.verb == requesting:
		p.say("a client")
	case s.actor.Name == "":
		p.say("a process")
	default:
		p.name(s.actor)
	}
	if s.as.Name != "" {
		p.say(", acting as ")
		p.name(s.as)
		p.say(",")
	}
}

// what names the objects: a few by name, more by their number.
func (s *step) what(p *prose) {
	named, spaces := s.objectNames()
	if len(named) == 0 {
		if s.nouns != "" {
			p.say(" " + s.nouns)
			s.spaces(p, spaces)
		}
		return
	}
	count := ""
	if s.many {
		count = "more than "
	}
	if s.noun != "" {
		switch {
		case s.noun == "on" || s.noun == "from":
			p.say(" " + s.noun)
		case len(named) == 1:
			p.say(" the " + s.noun)
		default:
			p.say(fmt.Sprintf(" %s%d %s", count, len(named), s.nouns))
		}
	}
	for i, name := range named[:min(len(named), shown)] {
		p.say(map[bool]string{true: " ", false: ", "}[i == 0])
		*p = append(*p, Run{Text: name, Kind: s.kind, Code: s.kind == correlate.File})
	}
	if more := len(named) - shown; more > 0 {
		p.say(fmt.Sprintf(" and %d more", more))
	}
	s.spaces(p, spaces)
}

// objectNames are the objects, and the namespaces that they are in.
func (s *step) objectNames() (named, spaces []string) {
	for _, name := range s.order {
		if name != "" {
			named = append(named, name)
		}
	}
	return named, slices.Sorted(maps.Keys(s.in))
}

func (s *step) spaces(p *prose, spaces []string) {
	all := slices.Contains(spaces, "") && s.verb.base == "list"
	spaces = slices.DeleteFunc(spaces, func(ns string) bool { return ns == "" })
	switch n := len(spaces); {
	case n == 1:
		p.say(" in the namespace ")
		*p = append(*p, Run{Text: spaces[0], Kind: correlate.Object})
	case n > 1 && n <= shown:
		p.say(" in the namespaces " + listed(spaces, ""))
	case n > shown:
		p.say(fmt.Sprintf(" in %d namespaces", n))
	}
	switch {
	case all && len(spaces) > 0:
		p.say(" and in all namespaces at once")
	case all:
		p.say(" of the whole cluster")
	}
}

// theDetail is what is to be added where it is the same of all.
func (s *step) theDetail() string {
	if len(s.details) != 1 {
		return ""
	}
	for d := range s.details {
		return d
	}
	return ""
}

// origin says from where it was done.
func (s *step) origin(p *prose) {
	list := slices.SortedFunc(maps.Keys(s.from), func(a, b correlate.Ref) int {
		return cmp.Or(cmp.Compare(s.from[b], s.from[a]), strings.Compare(a.Name, b.Name))
	})
	for i, ref := range list[:min(len(list), 3)] {
		p.say(map[bool]string{true: " from ", false: ", "}[i == 0])
		p.name(ref)
	}
	if more := len(list) - 3; more > 0 {
		p.say(fmt.Sprintf(" and %d more addresses", more))
	}
}
