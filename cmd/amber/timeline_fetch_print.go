package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"amber/evidence/casedir"
	"amber/timeline/fetch"
)

// printFetchPlan says what would be called, and which rights that needs.
func printFetchPlan(p fetch.Plan, asJSON bool) error {
	if asJSON {
		return emit(os.Stdout, p)
	}
	fmt.Printf("from   %s to %s\nserver %s\n", p.Since.Format(time.RFC3339), p.Until.Format(time.RFC3339), safeLines(p.Server))
	if p.As != "" {
		fmt.Println("as     " + safeLines(p.As))
	}
	for _, c := range p.Calls {
		fmt.Println("call   " + safeLines(c.Call))
		why := c.Why
		if c.Rate != "" {
			why += "; " + c.Rate
		}
		fmt.Println("         " + safeLines(why))
	}
	for _, right := range p.Permissions {
		fmt.Println("needs  " + safeLines(right))
	}
	for _, n := range p.Notes {
		fmt.Println("note   " + safeLines(n))
	}
	return nil
}

// fetchProgress shows on a terminal how far a fetch is. Waits are told
// wherever standard error leads: they may be long.
type fetchProgress struct {
	shown bool
	last  time.Time
}

func (p *fetchProgress) show(r fetch.Report, call string) {
	if !p.shown || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(os.Stderr, "\r\x1b[K%d calls, %s, %d records: %s", r.Calls, size(r.Bytes), r.Records, shorten(safeLines(call), 60))
}

func (p *fetchProgress) note(why error, wait time.Duration) {
	p.end()
	fmt.Fprintf(os.Stderr, "amber: %s; again in %s\n", safeLines(why.Error()), wait.Round(10*time.Millisecond))
}

func (p *fetchProgress) end() {
	if p.shown && !p.last.IsZero() {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

// fetched are the folders of answers with records that the case has.
func fetched(cs *casedir.Case) (paths []string) {
	parent := filepath.Join(cs.Dir(), fetch.Folder)
	entries, _ := os.ReadDir(parent)
	for _, e := range entries {
		raw := filepath.Join(parent, e.Name(), fetch.Raw)
		if info, err := os.Lstat(raw); err == nil && info.IsDir() {
			paths = append(paths, raw)
		}
	}
	return paths
}
