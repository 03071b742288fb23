package sourcetest

import (
	"strings"
	"testing"

	"amber/timeline"
)

// Holds reads a file of one source, and fails unless the source recognises it,
// all of its records are kept, and every line stands in what Dump writes of the
// events; a line that begins with "!" must not, whatever follows it.
func Holds(t *testing.T, src timeline.Source, file string, lines ...string) {
	t.Helper()
	if n := src.Sniff([]byte(file[:min(len(file), 64<<10)]), ""); n < 50 {
		t.Errorf("recognised with %d: %.80q", n, file)
	}
	var all strings.Builder
	c, err := Read(src, strings.NewReader(file), func(_ timeline.Record, e *timeline.Event) {
		all.WriteString("\n" + Dump(e))
	})
	if skipped, rejected := c.Lost(); err != nil || c.Events == 0 || skipped+rejected > 0 {
		t.Errorf("%.80q: %+v, %v", file, c, err)
	}
	for _, line := range lines {
		not, bare := strings.HasPrefix(line, "!"), strings.TrimPrefix(line, "!")
		has := strings.Contains(all.String(), "\n"+bare+"\n") || strings.Contains(all.String(), "\n  "+bare+"\n")
		if not {
			has = strings.Contains(all.String(), "\n"+bare) || strings.Contains(all.String(), "\n  "+bare)
		}
		if has == not {
			t.Errorf("%s: %v; of %.80q there is%s", line, has, file, all.String())
		}
	}
}
