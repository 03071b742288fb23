package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"amber/timeline/source/sourcetest"
)

// cookbook is the whole text in parts: the sections that have a case of their
// own, made of the sources' tests, and all others.
func cookbook(t *testing.T) (others string, own []string) {
	t.Helper()
	text, err := os.ReadFile("../../../docs/cookbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, section := range strings.Split(string(text), "\n## ") {
		if strings.Contains(section, "$ amber timeline build timeline/source/{") {
			own = append(own, section)
			continue
		}
		if i > 0 {
			others += "\n## "
		}
		others += section
	}
	return others, own
}

// blocks are the fenced parts of a text of one kind, with the paragraph before
// each.
func blocks(text, kind string) (out [][2]string) {
	for _, m := range regexp.MustCompile("(?s)([^\n]*)\n\n```"+kind+"\n(.*?)\n```").FindAllStringSubmatch(text, -1) {
		out = append(out, [2]string{m[1], m[2]})
	}
	return out
}

// TestCookbookLines runs every line of amber's and compares all that the
// cookbook shows of its answer, and the number of rows.
func TestCookbookLines(t *testing.T) {
	kube, cloud := sourcetest.Data(t, "kube-audit", "cluster-takeover.jsonl.gz"), sourcetest.Data(t, "cloudtrail", "simulation-55min")
	dir := filepath.Join(t.TempDir(), "case")
	shell(t, dir, "amber timeline build '"+kube+"' '"+cloud+"'")
	others, _ := cookbook(t)
	answered(t, dir, others)
}

// TestCookbookOwn runs those of the sections that have a case of their own.
func TestCookbookOwn(t *testing.T) {
	files, err := filepath.Abs("../../../timeline/source")
	if err != nil {
		t.Fatal(err)
	}
	_, own := cookbook(t)
	if len(own) < 2 {
		t.Fatalf("%d sections with a case of their own", len(own))
	}
	for _, section := range own {
		title, _, _ := strings.Cut(section, "\n")
		t.Run(title, func(t *testing.T) {
			_, list, _ := strings.Cut(section, "{")
			list, _, ok := strings.Cut(list, "}")
			if !ok {
				t.Fatal("no files are named")
			}
			dir := filepath.Join(t.TempDir(), "case")
			shell(t, dir, "amber timeline build '"+files+"/"+strings.ReplaceAll(list, ",", "' '"+files+"/")+"' || test $? = 3") // with misses
			answered(t, dir, section)
		})
	}
}

// answered runs every line of a text in a case.
func answered(t *testing.T, dir, text string) {
	t.Helper()
	n := 0
	for _, b := range blocks(text, "console") {
		shown := lines(b[1])
		line, ok := strings.CutPrefix(shown[0], "$ amber timeline ")
		if !ok || strings.HasPrefix(line, "build") {
			continue // how the case is made
		}
		n++
		t.Run(line, func(t *testing.T) { sameAnswer(t, lines(shell(t, dir, "amber timeline "+line)), shown[1:]) })
	}
	if n < 10 {
		t.Errorf("%d lines of amber's in the cookbook", n)
	}
}

// sameAnswer allows for the cuts: […] at the end of a line, and [… N more].
func sameAnswer(t *testing.T, got, shown []string) {
	t.Helper()
	more := 0
	if number, ok := strings.CutPrefix(shown[len(shown)-1], "[… "); ok {
		var err error
		if more, err = strconv.Atoi(strings.TrimSuffix(number, " more]")); err != nil {
			t.Fatal(err)
		}
		shown = shown[:len(shown)-1]
	}
	if len(got) != len(shown)+more {
		t.Fatalf("%d lines, the cookbook has %d:\n%s", len(got), len(shown)+more, strings.Join(got, "\n"))
	}
	for i, want := range shown {
		begin, cut := strings.CutSuffix(want, " […]")
		if got[i] != want && !(cut && strings.HasPrefix(got[i], begin)) {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, got[i], want)
		}
	}
}

// TestCookbookSQL runs every query on generated logs. Where the paragraph names
// a line of amber's, that has as many rows, or the query's last column sums up
// to as many.
func TestCookbookSQL(t *testing.T) {
	dir := generated(t, 12_000)
	others, _ := cookbook(t)
	found := blocks(others, "sql")
	if len(found) < 10 {
		t.Fatalf("%d queries in the cookbook", len(found))
	}
	for _, b := range found {
		t.Run(b[0], func(t *testing.T) {
			rows := duckRows(t, strings.ReplaceAll(b[1], "'case/", "'"+dir+"/"))
			if len(rows) == 0 {
				t.Fatal("no rows")
			}
			_, line, ok := strings.Cut(b[0], "`amber timeline query ")
			if !ok {
				return
			}
			line, _, _ = strings.Cut(line, "`")
			want := len(lines(shell(t, dir, "amber timeline query --output json "+line)))
			if got := counted(t, rows, strings.Contains(b[0], "counts")); got != want {
				t.Errorf("DuckDB has %d rows, amber %d", got, want)
			}
		})
	}
}

// counted are the rows, or what their last columns count.
func counted(t *testing.T, rows [][]string, sum bool) (n int) {
	t.Helper()
	if !sum {
		return len(rows)
	}
	for _, r := range rows {
		k, err := strconv.Atoi(r[len(r)-1])
		if err != nil {
			t.Fatal(err)
		}
		n += k
	}
	return n
}
