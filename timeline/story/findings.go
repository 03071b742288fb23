package story

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"amber/timeline"
	"amber/timeline/detect"
)

// Bounds of what is read of findings; the worst come first.
const (
	maxFindings   = 20_000
	rowsOfFinding = 50
)

// found is a finding as the story needs it.
type found struct {
	id, title           string
	level               detect.Level
	tactics, techniques []string
	rows                []timeline.RowID
	time                timeline.Time
}

func (t *teller) readFindings(all func(context.Context, func(*detect.Finding) error) error) error {
	if all == nil {
		return nil
	}
	var list []*found
	err := all(t.ctx, func(f *detect.Finding) error {
		if f.Suppressed != "" {
			t.quiet++
			return nil
		}
		level, _ := detect.ParseLevel(f.Level)
		list = append(list, &found{
			id: f.ID, title: f.Title, level: level, tactics: f.Tactics, techniques: f.Techniques,
			rows: slices.Clone(f.Rows[:min(len(f.Rows), rowsOfFinding)]), time: f.Time,
		})
		if len(list) >= 2*maxFindings {
			list = t.worst(list)
		}
		return nil
	})
	if err != nil {
		return err
	}
	list = t.worst(list)
	t.findings = len(list)
	for _, f := range list {
		for _, id := range f.rows {
			t.found[id] = append(t.found[id], f)
		}
	}
	return nil
}

// worst keeps the worst findings.
func (t *teller) worst(list []*found) []*found {
	slices.SortFunc(list, func(a, b *found) int {
		return cmp.Or(cmp.Compare(b.level, a.level), cmp.Compare(a.time.Micros, b.time.Micros), strings.Compare(a.id, b.id))
	})
	if len(list) > maxFindings {
		t.past += int64(len(list) - maxFindings)
		list = list[:maxFindings]
	}
	return list
}

// adopt adds to an act what rules say of its event.
func (s *step) adopt(a *act, fs []*found) {
	for _, f := range fs {
		if !slices.Contains(s.findings, f.id) && len(s.findings) < maxRowsTold {
			s.findings = append(s.findings, f.id)
		}
		if !slices.Contains(s.rules, f.title) && len(s.rules) < maxRowsTold {
			s.rules = append(s.rules, f.title)
		}
		for _, x := range f.techniques {
			if !slices.Contains(s.techniques, x) {
				s.techniques = append(s.techniques, x)
			}
		}
		s.level = max(s.level, f.level)
	}
	if len(s.techniques) == 0 && a.technique != "" {
		s.techniques = append(s.techniques, a.technique)
	}
}

// tacticFor is what an act is for: as it stands out by itself, which is about
// this very act, else by the worst of the rules.
func tacticFor(a *act, fs []*found) string {
	if a.own {
		return a.tactic
	}
	var first string
	for _, f := range fs {
		for _, x := range f.tactics {
			x = tacticOf(x)
			if first == "" && orderOf(x) < len(tactics) {
				first = x
			}
		}
	}
	return first
}

// tactics of ATT&CK in its order.
var tactics = []struct{ id, name string }{
	{"reconnaissance", "Reconnaissance"},
	{"resource-development", "Resource development"},
	{"initial-access", "Initial access"},
	{"execution", "Execution"},
	{"persistence", "Persistence"},
	{"privilege-escalation", "Privilege escalation"},
	{"defense-evasion", "Defence evasion"},
	{"credential-access", "Credential access"},
	{"discovery", "Discovery"},
	{"lateral-movement", "Lateral movement"},
	{"collection", "Collection"},
	{"command-and-control", "Command and control"},
	{"exfiltration", "Exfiltration"},
	{"impact", "Impact"},
}

func orderOf(tactic string) int {
	for i := range tactics {
		if tactics[i].id == tactic {
			return i
		}
	}
	return len(tactics)
}

func nameOf(tactic string) string {
	if i := orderOf(tactic); i < len(tactics) {
		return tactics[i].name
	}
	return "Also"
}

// tacticOf brings a tactic's name, as rules and tags write it, into its usual
// form.
func tacticOf(s string) string {
	s = strings.ToLower(s)
	s = strings.TrimPrefix(strings.TrimPrefix(s, "attack."), "mitre_")
	return strings.NewReplacer("_", "-", " ", "-").Replace(s)
}
