package falco

import (
	"fmt"
	"strings"

	"amber/timeline/detect"
)

// about is what is known of a rule. Falco's rules are named by their titles.
func (r *rule) about() (detect.Rule, error) {
	level, ok := priorities[strings.ToLower(r.priority)]
	if !ok {
		return detect.Rule{}, fmt.Errorf("the priority %q is not one of Falco's", r.priority)
	}
	out := detect.Rule{
		ID: r.name, Name: r.name, Title: r.name, Description: r.desc, License: r.license,
		Level: level, Language: "falco", Path: r.path, Line: r.line,
	}
	for _, tag := range r.tags {
		t := strings.TrimSpace(tag)
		tactic, isTactic := strings.CutPrefix(t, "mitre_")
		switch {
		case isTechnique(t):
			out.Techniques = append(out.Techniques, t)
		case isTactic:
			out.Tactics = append(out.Tactics, strings.ReplaceAll(tactic, "_", "-"))
		case tactics[t] != "":
			out.Tactics = append(out.Tactics, tactics[t])
		case strings.HasPrefix(t, "maturity_"):
			out.Status = strings.TrimPrefix(t, "maturity_")
		}
	}
	out.Techniques, out.Tactics = sorted(out.Techniques), sorted(out.Tactics)
	return out, nil
}

var priorities = map[string]detect.Level{
	"emergency": detect.Critical, "alert": detect.Critical, "critical": detect.Critical,
	"error": detect.High, "warning": detect.Medium, "notice": detect.Low,
	"informational": detect.Informational, "info": detect.Informational, "debug": detect.Informational,
}

// tactics are ATT&CK's, by their ids.
var tactics = map[string]string{
	"TA0001": "initial-access", "TA0002": "execution", "TA0003": "persistence", "TA0004": "privilege-escalation",
	"TA0005": "defense-evasion", "TA0006": "credential-access", "TA0007": "discovery", "TA0008": "lateral-movement",
	"TA0009": "collection", "TA0010": "exfiltration", "TA0011": "command-and-control", "TA0040": "impact",
	"TA0042": "resource-development", "TA0043": "reconnaissance",
}

// isTechnique knows T1059 and T1059.004.
func isTechnique(s string) bool {
	id, sub, both := strings.Cut(s, ".")
	return len(id) == 5 && id[0] == 'T' && digits(id[1:]) && (!both || len(sub) == 3 && digits(sub))
}
