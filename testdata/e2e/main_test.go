//go:build e2e

// Package e2e tests the real amber, as its users run it, on real containers of
// a real containerd. It needs root and the testbed's cache.
//
//	go test -tags e2e ./testdata/e2e/
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"amber/testdata/testbed"
)

// The binaries under test: as it is shipped, and the one that dies at the
// fault points (evidence/durable).
var plainBin, faultBin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if role := os.Getenv(roleEnv); role != "" {
		return act(role)
	}
	dir, err := os.MkdirTemp("", "amber-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	plainBin, faultBin = filepath.Join(dir, "amber"), filepath.Join(dir, "amber-fault")
	for bin, tags := range map[string]string{plainBin: "", faultBin: "fault"} {
		cmd := exec.Command("go", "build", "-tags", tags, "-o", bin, "./cmd/amber")
		cmd.Dir = filepath.Join(testbed.Source(), "..", "..")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building amber: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}
