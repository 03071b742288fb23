// Tui measures the screen as its user meets it: from the byte written to the
// terminal to the frame read from it, on a process that has just started, over a
// timeline of ten million events. It prints figures and fails on none.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

func main() {
	amber := flag.String("amber", "bin/amber", "the program")
	events := flag.Int("events", 10_000_000, "how many events the timeline has")
	dir := flag.String("dir", "", "where the timeline is made and kept (default: amber-tui-bench below the temporary directory)")
	keys := flag.Int("keys", 300, "how many keys are measured")
	flag.Parse()
	if *dir == "" {
		*dir = filepath.Join(os.TempDir(), fmt.Sprintf("amber-tui-bench-%d", *events))
	}
	if err := run(*amber, *dir, *events, *keys); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

func run(amber, dir string, events, keys int) error {
	if err := prepare(dir, events); err != nil {
		return err
	}
	fmt.Printf("the screen over %d events, %d cores, 120x40\n", events, runtime.NumCPU())
	for _, size := range []struct{ w, h uint16 }{{120, 40}} {
		s, err := start(amber, dir, size.w, size.h)
		if err != nil {
			return err
		}
		err = s.measure(keys)
		if err := s.stop(); err != nil {
			return err
		}
		if err != nil {
			return err
		}
	}
	return nil
}
