package rules

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed attack.tsv
var attack string

// Technique is a technique of MITRE ATT&CK, or a part of one.
type Technique struct {
	ID       string
	Name     string
	Tactics  []string // as ATT&CK abbreviates them, in its order
	Matrices []string // "containers", "iaas", "linux"; none of these for a few
}

// Techniques are those of the Containers matrix and those that the pack's rules
// name, by their ids.
var Techniques = sync.OnceValue(func() map[string]Technique {
	list := map[string]Technique{}
	for line := range strings.Lines(attack) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 || strings.HasPrefix(line, "#") {
			continue
		}
		t := Technique{ID: f[0], Name: f[1], Tactics: strings.Split(f[2], ",")}
		if f[3] != "" {
			t.Matrices = strings.Split(f[3], ",")
		}
		list[t.ID] = t
	}
	return list
})
