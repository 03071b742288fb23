// Target is what the end-to-end tests run in a container: an intruder who makes
// it hard to be collected.
//
//	target hostile DIR     fills DIR with hostile names and types, and waits
//	target restless DIR    keeps growing, shrinking, removing and making files
//	target forks           keeps starting processes that end at once
//	target fuse DIR...     serves file systems that never answer
//	target intruder WORD...  deletes itself, keeps a secret in memory, holds a connection and counts
//	target leaderless ADDR   ends its first thread, sends to an address from another, and counts
//
// Each makes /ready when it is in full swing.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"amber/isolate/isolatetest"
)

func main() {
	acts := map[string]func(args []string) error{"hostile": hostile, "restless": restless, "forks": forks, "fuse": fuse, "end": end, "intruder": intruder, "leaderless": leaderless}
	if len(os.Args) < 2 || acts[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: target hostile|restless|forks|fuse|intruder|leaderless")
		os.Exit(2)
	}
	if err := acts[os.Args[1]](os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "target:", err)
		os.Exit(1)
	}
}

func end([]string) error { return nil }

func ready() error { return os.WriteFile("/ready", nil, 0o600) }

// wait never returns.
func wait() error {
	for {
		time.Sleep(time.Hour)
	}
}

func fuse(dirs []string) error {
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		f, err := isolatetest.Mute(dir)
		if err != nil {
			return err
		}
		defer f.Close()
	}
	if err := ready(); err != nil {
		return err
	}
	return wait()
}

func forks([]string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		for range 4 {
			p, err := os.StartProcess(self, []string{self, "end"}, &os.ProcAttr{})
			if err != nil {
				return err
			}
			go func() { _, _ = p.Wait() }()
		}
		if i == 10 {
			if err := ready(); err != nil {
				return err
			}
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// restless never leaves its files alone.
func restless(args []string) error {
	dir := args[0]
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	grow, err := os.Create(filepath.Join(dir, "growing"))
	if err != nil {
		return err
	}
	block := []byte(strings.Repeat("restless ", 8<<10))
	for i := 0; ; i++ {
		if _, err := grow.Write(block); err != nil {
			return err
		}
		if i%64 == 63 {
			_ = grow.Truncate(0)
			_, _ = grow.Seek(0, 0)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("vanishing-%d", i%200)), block[:i%len(block)], 0o600); err != nil {
			return err
		}
		_ = os.Remove(filepath.Join(dir, fmt.Sprintf("vanishing-%d", (i+100)%200)))
		shrink := filepath.Join(dir, "shrinking")
		if err := os.WriteFile(shrink, []byte(strings.Repeat(string(block), 40)), 0o600); err != nil {
			return err
		}
		_ = os.Truncate(shrink, int64(i%1000))
		if i == 200 {
			if err := ready(); err != nil {
				return err
			}
		}
	}
}
