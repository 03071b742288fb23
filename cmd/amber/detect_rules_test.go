package main

import (
	"os"
	"path/filepath"
	"testing"
)

// A file of rules that is named is read alone, whatever lies beside it.
func TestOneFileOfRules(t *testing.T) {
	dir := t.TempDir()
	for name, rule := range map[string]string{"a.yaml": "one", "b.yaml": "two"} {
		text := "- rule: " + rule + "\n  desc: d\n  condition: evt.type = execve and proc.name = " + rule + "\n  output: o\n  priority: NOTICE\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{filepath.Join(dir, "a.yaml"): 1, dir: 2} {
		set, err := ruleFiles([]string{path})
		if err != nil || len(set.Matchers) != want {
			t.Errorf("%s: %d rules, %v", path, len(set.Matchers), err)
		}
	}
}
