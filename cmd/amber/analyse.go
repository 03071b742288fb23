package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/urfave/cli/v2"

	"amber/evidence"
	"amber/evidence/analyse"
	"amber/evidence/record"
	"amber/evidence/safetext"
)

// analyseCommands read what a target was, from its bundle alone.
func analyseCommands(common func(...cli.Flag) []cli.Flag) []*cli.Command {
	shared := common
	common = func(more ...cli.Flag) []cli.Flag {
		return shared(append(more, &cli.StringFlag{Name: "from", Usage: "whose word to take, `proc|checkpoint`: what amber read, or CRIU's images (those where nothing else is there)"})...)
	}
	limit := &cli.IntFlag{Name: "limit", Value: 1000, Usage: "print at most `N` hits; all are counted"}
	return []*cli.Command{
		exportCommand(shared),
		{
			Name: "search", Usage: "find bytes in the memory of the processes, with process and address", ArgsUsage: "ID PATTERN", Action: viewing(2, 2, "ID PATTERN", evidenceSearch),
			Description: "PATTERN is text as it is, hex:6162…, or /regular expression/ (RE2; (?i) ignores case).\n" +
				"text: before it takes the rest as it is. A match of a regular expression is found whole\n" +
				"up to 64 KiB.",
			Flags: common(limit,
				&cli.BoolFlag{Name: "all", Usage: "search the content of all members, not of memory alone"},
				&cli.IntFlag{Name: "context", Value: 32, Usage: "print `N` bytes before and behind"},
			),
		},
		{Name: "ps", Usage: "the tree of the processes, as they were", ArgsUsage: "[ID]", Flags: common(), Action: viewing(0, 1, "[ID]", evidencePs)},
		{Name: "files", Usage: "what the processes had open and mapped", ArgsUsage: "ID [PID]", Flags: common(), Action: viewing(1, 2, "ID [PID]", evidenceFiles)},
		{Name: "env", Usage: "the environment of the processes", ArgsUsage: "ID [PID]", Flags: common(), Action: viewing(1, 2, "ID [PID]", evidenceEnv)},
		{Name: "sockets", Usage: "the sockets, and who held them", ArgsUsage: "[ID]", Flags: common(), Action: viewing(0, 1, "[ID]", evidenceSockets)},
		{
			Name: "strings", Usage: "text in the memory of the processes, with its address", ArgsUsage: "ID [PID]", Action: viewing(1, 2, "ID [PID]", evidenceStrings),
			Flags: common(&cli.IntFlag{Name: "min", Value: 6, Usage: "of at least `N` characters"}),
		},
	}
}

// pidArg is the second argument: a process's number, or 0 for all.
func pidArg(v view) (int, error) {
	s := v.c.Args().Get(1)
	if s == "" {
		return 0, nil
	}
	pid, err := strconv.Atoi(s)
	if err != nil || pid <= 0 {
		return 0, usagef("%q is no process's number", s)
	}
	return pid, nil
}

// processes opens a bundle and reads its processes, one or all.
func (v view) processes(act string) (*evidence.Bundle, []*record.Process, error) {
	pid, err := pidArg(v)
	if err != nil {
		return nil, nil, err
	}
	b, err := v.bundle(v.c.Args().First(), act, v.c.Args().Get(1))
	if err != nil {
		return nil, nil, err
	}
	from, err := v.from()
	if err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	all, bad := analyse.Processes(b, from)
	warnAll(bad)
	var list []*record.Process
	for _, p := range all {
		if pid == 0 || p.PID == pid {
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		err := outcome{exitMisses, "the bundle tells of no process"}
		if pid != 0 {
			err = outcome{exitMisses, fmt.Sprintf("the bundle tells of no process %d", pid)}
		}
		return nil, nil, errors.Join(err, b.Close())
	}
	return b, list, nil
}

// from reads --from.
func (v view) from() (analyse.From, error) {
	from, err := analyse.ParseFrom(v.c.String("from"))
	if err != nil {
		return "", usagef("--from: %v", err)
	}
	return from, nil
}

func warnAll(bad []error) {
	for i, err := range bad {
		if i == 10 {
			fmt.Fprintf(os.Stderr, "amber: note: and %d more\n", len(bad)-i)
			return
		}
		fmt.Fprintln(os.Stderr, "amber: note: "+safetext.Line(err.Error()))
	}
}

// searchHit is a hit as search prints it.
type searchHit struct {
	Member  string      `json:"member"`
	Offset  int64       `json:"offset"`
	PID     int         `json:"pid,omitempty"`
	Comm    record.Text `json:"comm,omitempty"`
	Address string      `json:"address,omitempty"`
	Perms   string      `json:"perms,omitempty"`
	Mapping record.Text `json:"mapping,omitempty"`
	Before  []byte      `json:"before"` // base64, as the others
	Match   []byte      `json:"match"`
	After   []byte      `json:"after"`
	Length  int         `json:"length"`
}

// searchResult is what search -o json prints.
type searchResult struct {
	Hits    []searchHit       `json:"hits"`
	Total   int64             `json:"total"`
	Bytes   int64             `json:"bytes"`
	Members int               `json:"members"`
	Failed  map[string]string `json:"failed,omitempty"`
}

func evidenceSearch(v view) error {
	text := v.c.Args().Get(1)
	p, err := analyse.ParsePattern(text)
	if err != nil {
		return usageError{err}
	}
	from, err := v.from()
	if err != nil {
		return err
	}
	b, err := v.bundle(v.c.Args().First(), "search", text)
	if err != nil {
		return err
	}
	defer b.Close()
	_, dir, err := bundleDir(v.cs, v.c.Args().First())
	if err != nil {
		return err
	}
	o := analyse.Options{From: from, All: v.c.Bool("all"), Context: v.c.Int("context"), Most: v.c.Int("limit")}
	if o.Context < 0 || o.Context > 4096 || o.Most < 0 {
		return usagef("--context takes 0 to 4096, --limit no negative number")
	}
	where, out := newPlaces(b, from), searchResult{Hits: []searchHit{}}
	s, err := analyse.Search(v.c.Context, func() (*evidence.Bundle, error) { return openBundle(v.c, dir) }, p, o, func(h analyse.Hit) error {
		hit := where.describe(h)
		if v.json {
			out.Hits = append(out.Hits, hit)
			return nil
		}
		_, err := fmt.Println(hit.text())
		return err
	})
	if err != nil {
		return err
	}
	return out.end(s, v.json)
}

func (h searchHit) text() string {
	place := fmt.Sprintf("%s+%d", safetext.Line(h.Member), h.Offset)
	if h.Address != "" {
		place = fmt.Sprintf("%s  %d %s  %s %s", h.Address, h.PID, safetext.Line(string(h.Comm)), h.Perms, safetext.Line(string(h.Mapping)))
	}
	more := ""
	if h.Length > len(h.Match) {
		more = "…"
	}
	return fmt.Sprintf("%s  %s«%s%s»%s", place, safetext.Line(string(h.Before)), safetext.Line(string(h.Match)), more, safetext.Line(string(h.After)))
}

// end prints the sum, on standard error so that the hits stand alone.
func (r searchResult) end(s analyse.Searched, asJSON bool) error {
	r.Total, r.Bytes, r.Members = s.Hits, s.Bytes, s.Members
	for path, err := range s.Failed {
		if r.Failed == nil {
			r.Failed = map[string]string{}
		}
		r.Failed[path] = err.Error()
	}
	if asJSON {
		if err := emit(os.Stdout, r); err != nil {
			return err
		}
	} else {
		for path, err := range s.Failed {
			fmt.Fprintf(os.Stderr, "amber: %s was not searched whole: %s\n", safetext.Line(path), safetext.Line(err.Error()))
		}
		fmt.Fprintf(os.Stderr, "%s in %s of %s\n", countText(int(s.Hits), "hit"), size(s.Bytes), countText(s.Members, "member"))
	}
	if len(s.Failed) > 0 {
		return outcome{exitMisses, ""}
	}
	return nil
}

// places tells of which process and mapping an address is. It reads the
// mappings of a process when the first hit is in it.
type places struct {
	b        *evidence.Bundle
	from     analyse.From
	comms    map[int]record.Text
	mappings map[int][]*record.MemoryMapping
}

func newPlaces(b *evidence.Bundle, from analyse.From) *places {
	p := &places{b: b, from: from, comms: map[int]record.Text{}, mappings: map[int][]*record.MemoryMapping{}}
	processes, bad := analyse.Processes(b, from)
	all, more := analyse.Memories(b)
	warnAll(append(bad, more...))
	for _, m := range processes {
		p.comms[m.PID] = m.Comm
	}
	if from != analyse.FromCheckpoint {
		for _, m := range all {
			p.comms[m.PID] = m.Comm
		}
	}
	return p
}

func (p *places) describe(h analyse.Hit) searchHit {
	hit := searchHit{Member: h.Member, Offset: h.Offset, PID: h.PID, Before: h.Before, Match: h.Match, After: h.After, Length: h.Length}
	if h.PID == 0 {
		return hit
	}
	hit.Address, hit.Comm = fmt.Sprintf("0x%x", h.Address), p.comms[h.PID]
	if m := p.at(h.PID, h.Address); m != nil {
		hit.Perms, hit.Mapping = m.Perms, m.Name
	}
	return hit
}

func (p *places) at(pid int, address uint64) *record.MemoryMapping {
	list, ok := p.mappings[pid]
	if !ok {
		var bad []error
		list, bad = analyse.Mappings(p.b, p.from, pid)
		warnAll(bad)
		p.mappings[pid] = list
	}
	for _, m := range list {
		start, err1 := strconv.ParseUint(m.Start, 16, 64)
		end, err2 := strconv.ParseUint(m.End, 16, 64)
		if err1 == nil && err2 == nil && start <= address && address < end {
			return m
		}
	}
	return nil
}
