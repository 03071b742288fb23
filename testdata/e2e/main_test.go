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
// fault points (evidence/durable). targetBin is what runs in the containers.
var plainBin, faultBin, targetBin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "amber-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for _, b := range []struct {
		path                    *string
		name, tags, packageName string
	}{
		{&plainBin, "amber", "", "./cmd/amber"},
		{&faultBin, "amber-fault", "fault", "./cmd/amber"},
		{&targetBin, "target", "", "./testdata/e2e/target"},
	} {
		*b.path = filepath.Join(dir, b.name)
		cmd := exec.Command("go", "build", "-tags", b.tags, "-o", *b.path, b.packageName)
		cmd.Dir = filepath.Join(testbed.Source(), "..", "..")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in containers without a libc
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", b.name, err, out)
			return 1
		}
	}
	return m.Run()
}
