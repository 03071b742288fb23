package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence/safetext"
	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/store"
)

// findingLine is a finding as JSON has it.
type findingLine struct {
	*detect.Finding
	Time     string   `json:"time"`
	End      string   `json:"end,omitempty"`
	Rows     []string `json:"rows"`
	Raw      []rawRef `json:"raw"`
	Language string   `json:"language,omitempty"`
	Response string   `json:"response,omitempty"`
}

// rawRef is a part of a raw file, in decompressed bytes.
type rawRef struct {
	SHA256 string `json:"sha256"`
	Path   string `json:"path"`
	Offset int64  `json:"offset"`
	Length int64  `json:"length"`
}

func findingsJSON(c *cli.Context, f *findings.Findings, want findings.Filter, known *findings.Suppressions) error {
	err := f.Each(c.Context, want, func(x *detect.Finding) error {
		known.Apply(x)
		line := findingLine{Finding: x, Time: store.FormatTime(x.Time), Rows: []string{}, Raw: rawRefs(f, x), Language: x.Rule.Language, Response: x.Rule.Response}
		if x.End != x.Time {
			line.End = store.FormatTime(x.End)
		}
		for i := range x.Rows {
			line.Rows = append(line.Rows, hex.EncodeToString(x.Rows[i][:]))
		}
		return emitLine(os.Stdout, line)
	})
	tellSuppressed(os.Stderr, known)
	return err
}

func rawRefs(f *findings.Findings, x *detect.Finding) []rawRef {
	out := []rawRef{}
	for _, ref := range x.Raw {
		file := f.File(ref.File)
		for _, r := range ref.Ranges {
			out = append(out, rawRef{hex.EncodeToString(file.Digest[:]), strings.ToValidUTF8(file.Path, "\ufffd"), r.Offset, r.Length})
		}
	}
	return out
}

// findingGroup is the findings of one rule with the same entities, which text
// shows as one line.
type findingGroup struct {
	rule     *detect.Rule
	entities string
	first    timeline.Time
	events   int64
}

// maxFindingGroups bounds the lines of a table.
const maxFindingGroups = 100_000

func findingsText(c *cli.Context, f *findings.Findings, want findings.Filter, known *findings.Suppressions) error {
	groups := map[string]*findingGroup{}
	levels := map[string]int{}
	all, left := 0, 0
	err := f.Each(c.Context, want, func(x *detect.Finding) error {
		if known.Apply(x); x.Suppressed != "" {
			return nil
		}
		all++
		levels[x.Level]++
		who := shownEntities(x)
		g := groups[x.RuleID+"\x00"+who]
		if g == nil {
			if len(groups) >= maxFindingGroups {
				left++
				return nil
			}
			g = &findingGroup{rule: x.Rule, entities: who, first: x.Time}
			groups[x.RuleID+"\x00"+who] = g
		}
		g.events += x.Count
		return nil
	})
	if err != nil {
		return err
	}
	err = printGroups(groups)
	fmt.Println(findingsSummary(all, left, levels))
	tellSuppressed(os.Stdout, known)
	return err
}

func printGroups(groups map[string]*findingGroup) error {
	list := make([]*findingGroup, 0, len(groups))
	for _, g := range groups {
		list = append(list, g)
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b *findingGroup) int {
		return cmp.Or(cmp.Compare(b.rule.Level, a.rule.Level), cmp.Compare(a.first.Micros, b.first.Micros), cmp.Compare(a.first.Nanos, b.first.Nanos),
			cmp.Compare(a.rule.ID, b.rule.ID), cmp.Compare(a.entities, b.entities))
	})
	rows := make([][]string, 0, len(list))
	for _, g := range list {
		rows = append(rows, []string{
			g.rule.Level.String(), store.FormatTime(g.first), shorten(safetext.Line(g.rule.Title), 70),
			cmp.Or(strings.Join(g.rule.Techniques, " "), "-"), cmp.Or(g.entities, "-"), fmt.Sprint(g.events),
		})
	}
	return table(os.Stdout, []string{"LEVEL", "FIRST", "TITLE", "TECHNIQUE", "ENTITIES", "EVENTS"}, rows)
}

// tellingFields are the entities that a line shows, three at most, in this order.
var tellingFields = []string{
	"user.name", "user.effective.name", "orchestrator.namespace", "orchestrator.resource.name", "source.ip",
	"container.name", "process.executable", "file.path", "cloud.account.id", "host.name",
}

func shownEntities(x *detect.Finding) string {
	var out []string
	for _, field := range tellingFields {
		for _, e := range x.Entities {
			if name, v, _ := strings.Cut(e, ":"); name == field && len(out) < 3 {
				out = append(out, shorten(safetext.Line(v), 40))
				break
			}
		}
	}
	return strings.Join(out, ", ")
}

func findingsSummary(all, left int, levels map[string]int) string {
	if all == 0 {
		return "no findings"
	}
	text := countText(all, "finding")
	sep := ": "
	for l := detect.Critical; ; l-- {
		if n := levels[l.String()]; n > 0 {
			text += fmt.Sprintf("%s%d %s", sep, n, l)
			sep = ", "
		}
		if l == detect.Informational {
			break
		}
	}
	if left > 0 {
		text += fmt.Sprintf("; %d of them are not in the table: narrow it with --level, --rule, --since", left)
	}
	return text
}

// tellSuppressed says how many findings were suppressed by what, and which
// suppressions have expired.
func tellSuppressed(w *os.File, known *findings.Suppressions) {
	var errs []error
	for _, s := range known.List {
		if s.Hits > 0 {
			_, err := fmt.Fprintf(w, "%d suppressed: %s\n", s.Hits, safetext.Line(s.Reason))
			errs = append(errs, err)
		}
	}
	for _, s := range known.Expired() {
		_, err := fmt.Fprintf(w, "expired on %s, line %d: %s\n", s.Expires.UTC().Format("2006-01-02 15:04"), s.Line, safetext.Line(s.Reason))
		errs = append(errs, err)
	}
	_ = errors.Join(errs...) // what could not be printed has no one to tell
}
