// Fuzz runs every fuzzer of the module for a time of its own, some of them at
// once, and counts them: it fails when one of them failed.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

type fuzzer struct{ pkg, name string }

func main() {
	each := flag.Duration("time", time.Minute, "how long each fuzzer runs")
	jobs := flag.Int("jobs", 2, "how many run at once")
	only := flag.String("only", "", "those alone whose package and name contain this")
	flag.Parse()
	all, err := fuzzers(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
	failed := runAll(all, *each, *jobs)
	fmt.Printf("%d fuzzers for %s each: %d passed, %d failed %s\n",
		len(all), *each, len(all)-len(failed), len(failed), strings.Join(failed, ", "))
	if len(all) == 0 || len(failed) > 0 {
		os.Exit(1)
	}
}

// fuzzers lists them as go test does: names first, then the line of their package.
func fuzzers(only string) ([]fuzzer, error) {
	out, err := exec.Command("go", "test", "-vet=off", "-list", "^Fuzz", "./...").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("listing the fuzzers: %w\n%s", err, out)
	}
	var all []fuzzer
	var names []string
	for line := range strings.Lines(string(out)) {
		switch f := strings.Fields(line); {
		case len(f) == 1 && strings.HasPrefix(f[0], "Fuzz"):
			names = append(names, f[0])
		case len(f) > 1 && (f[0] == "ok" || f[0] == "?"):
			for _, name := range names {
				if strings.Contains(f[1]+" "+name, only) {
					all = append(all, fuzzer{f[1], name})
				}
			}
			names = nil
		}
	}
	return all, nil
}

// runAll returns the names of those that failed.
func runAll(all []fuzzer, each time.Duration, jobs int) (failed []string) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan fuzzer)
	for range max(jobs, 1) {
		wg.Go(func() {
			for f := range next {
				out, ok := run(f, each)
				mu.Lock()
				fmt.Printf("%s %s: %s\n", f.pkg, f.name, summary(out, ok))
				if !ok {
					failed = append(failed, f.pkg+" "+f.name)
				}
				mu.Unlock()
			}
		})
	}
	for _, f := range all {
		next <- f
	}
	close(next)
	wg.Wait()
	return failed
}

// run fuzzes; a second time where go test was late to its own end, which it
// tells as a failure although no input failed (go.dev/issue/75804).
func run(f fuzzer, each time.Duration) (out string, ok bool) {
	for range 2 {
		var b []byte
		var err error
		b, err = exec.Command("go", "test", "-vet=off", "-run", "^$", "-fuzz", "^"+f.name+"$",
			"-fuzztime", each.String(), "-fuzzminimizetime", "1s", "-parallel", "1", f.pkg).CombinedOutput()
		out, ok = string(b), err == nil
		if ok || !late(out) {
			break
		}
	}
	return out, ok
}

// late tells whether all that went wrong is that the time was over: a failing
// input is named, and so is a worker that died.
func late(out string) bool {
	_, what, found := strings.Cut(out, "--- FAIL: ")
	_, what, _ = strings.Cut(what, "\n")
	what, _, _ = strings.Cut(what, "\nFAIL\n")
	return found && strings.TrimSpace(what) == "context deadline exceeded"
}

// summary is the last line of progress, or all where it failed.
func summary(out string, ok bool) string {
	if !ok {
		return "FAILED\n" + out
	}
	last := "no progress was told"
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "fuzz: elapsed") {
			last = strings.TrimSpace(line)
		}
	}
	return last
}
