package all

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/timeline"
)

const filledHead = `# Which source fills which column

Made of the records that the sources are tested with, which have every field that the vendors document: a column that is empty here has nothing to be filled from, and the source's page says why. The columns` + " `message`, `@timestamp` and `event.dataset`" + ` are filled by all.

`

// TestFilled holds docs/event-schema/filled.md to what the sources' tests show.
func TestFilled(t *testing.T) {
	const path = "../../../docs/event-schema/filled.md"
	got := []byte(filledHead + filled(t))
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the sources fill: go test ./timeline/source/all -update", path)
	}
}

// filled is a table of columns by sources, by the golden files.
func filled(t *testing.T) string {
	t.Helper()
	paths, err := filepath.Glob("../*/testdata/*.golden")
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]map[string]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Base(filepath.Dir(filepath.Dir(path)))
		if has[dir] == nil {
			has[dir] = map[string]bool{}
		}
		for line := range strings.Lines(string(text)) {
			name, _, _ := strings.Cut(line, ": ")
			has[dir][name] = true
		}
	}
	var dirs []string
	for dir := range has {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	var b strings.Builder
	b.WriteString("| source | filled | not filled |\n|---|---|---|\n")
	for _, dir := range dirs {
		var yes, no []string
		for f := range timeline.NumFields {
			switch name := f.Name(); {
			case f == timeline.Message || f == timeline.EventDataset:
			case has[dir][name]:
				yes = append(yes, "`"+name+"`")
			default:
				no = append(no, "`"+name+"`")
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", dir, strings.Join(yes, " "), strings.Join(no, " "))
	}
	return b.String()
}
