package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/timeline/correlate"
	"amber/timeline/store"
)

// graphOf joins the timeline of the case that is meant.
func graphOf(c *cli.Context) (*correlate.Graph, error) {
	s, err := openTimeline(c)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return linked(c, s)
}

// graphMemory is what joining may use; ten million events are joined within it.
const graphMemory = 640 << 20

func linked(c *cli.Context, s *store.Store) (*correlate.Graph, error) {
	debug.SetMemoryLimit(graphMemory)
	return correlate.Build(c.Context, s)
}

type entityJSON struct {
	Entity string `json:"entity"`
	Label  string `json:"label,omitempty"`
	First  string `json:"first"`
	Last   string `json:"last"`
	Rows   int64  `json:"rows"`
	Links  int    `json:"links"`
}

// timelineEntities lists what the timeline tells of.
func timelineEntities(c *cli.Context, asJSON bool) error {
	g, err := graphOf(c)
	if err != nil {
		return err
	}
	list := []entityJSON{}
	for i, e := range g.Entities {
		if name := e.String(); strings.Contains(name+" "+e.Label, c.Args().First()) {
			list = append(list, entityJSON{name, e.Label, store.FormatTime(e.First), store.FormatTime(e.Last), e.Rows, len(g.Of(i))})
		}
	}
	warnLost(g)
	if asJSON {
		return emit(os.Stdout, list)
	}
	var rows [][]string
	for _, e := range list {
		rows = append(rows, []string{e.Entity, e.First, e.Last, fmt.Sprint(e.Rows), fmt.Sprint(e.Links), shorten(e.Label, 80)})
	}
	return table(os.Stdout, []string{"ENTITY", "FIRST", "LAST", "ROWS", "LINKS", "ALSO"}, rows)
}

type linkJSON struct {
	From  string         `json:"from"`
	Is    string         `json:"is"`
	To    string         `json:"to"`
	Sure  correlate.Sure `json:"sure"`
	Why   string         `json:"why"`
	Odd   string         `json:"odd,omitempty"`
	First string         `json:"first"`
	Last  string         `json:"last"`
	Count int64          `json:"count"`
	Rows  []string       `json:"rows"`
}

// timelineLinks lists how entities are joined, and by what evidence.
func timelineLinks(c *cli.Context, asJSON bool) error {
	g, err := graphOf(c)
	if err != nil {
		return err
	}
	list := []linkJSON{}
	for _, l := range g.Links {
		from, to := g.Entities[l.From].String(), g.Entities[l.To].String()
		if strings.Contains(from, c.Args().First()) || strings.Contains(to, c.Args().First()) {
			j := linkJSON{from, l.Kind.String(), to, l.Sure, l.Why, l.Odd, store.FormatTime(l.First), store.FormatTime(l.Last), l.Count, []string{}}
			for _, id := range l.Rows() {
				j.Rows = append(j.Rows, hex.EncodeToString(id[:]))
			}
			list = append(list, j)
		}
	}
	warnLost(g)
	if asJSON {
		return emit(os.Stdout, list)
	}
	var rows [][]string
	for _, l := range list {
		why := l.Why
		if l.Odd != "" {
			why = "ODD: " + l.Odd + ". " + why
		}
		rows = append(rows, []string{l.From, l.Is, l.To, l.Sure.String(), l.First, fmt.Sprint(l.Count), why})
	}
	return table(os.Stdout, []string{"FROM", "IS", "TO", "SURE", "FIRST", "ROWS", "WHY"}, rows)
}

// warnLost says what was too much to be kept.
func warnLost(g *correlate.Graph) {
	for _, l := range g.Lost {
		fmt.Fprintf(os.Stderr, "amber: %d %s were beyond the bound and are left out\n", l.Count, l.What)
	}
}
