package harness

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally is what became of the seeds of one way.
type tally struct {
	seeds   int
	refused int // told as changed, or not opened any more; of a fault: recovered, nothing lost
	open    int // told as not vouched for
	failed  int // taken for whole; of a fault: something was lost, or falsely told
}

var (
	talliesMu sync.Mutex
	tallies   = map[string]*tally{}
)

// count enters one seed of a way.
func count(way string, what func(*tally)) {
	talliesMu.Lock()
	defer talliesMu.Unlock()
	if tallies[way] == nil {
		tallies[way] = &tally{}
	}
	tallies[way].seeds++
	what(tallies[way])
}

func countRefused(t *tally) { t.refused++ }
func countOpen(t *tally)    { t.open++ }
func countFailed(t *tally)  { t.failed++ }

// wayOf is the first word of what was done.
func wayOf(done string) string { return strings.TrimRight(strings.Fields(done)[0], ":") }

// printTable prints a line for each way, and their sum.
func printTable(w io.Writer) {
	if len(tallies) == 0 {
		return
	}
	const form = "%-34s %7d %20d %13d %15d\n"
	fmt.Fprintf(w, "%-34s %7s %20s %13s %15s\n", "WAY", "SEEDS", "REFUSED OR RECOVERED", "TOLD AS OPEN", "FALSE ACCEPTED")
	var all tally
	for _, way := range slices.Sorted(maps.Keys(tallies)) {
		t := tallies[way]
		fmt.Fprintf(w, form, way, t.seeds, t.refused, t.open, t.failed)
		all.seeds, all.refused, all.open, all.failed = all.seeds+t.seeds, all.refused+t.refused, all.open+t.open, all.failed+t.failed
	}
	fmt.Fprintf(w, form, "in all", all.seeds, all.refused, all.open, all.failed)
}
