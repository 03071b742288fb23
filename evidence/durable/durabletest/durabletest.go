// Package durabletest runs programs that were built with the tag fault, and has
// them killed at the points that they pass.
package durabletest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Run runs a program until it is killed at a point (0: none), and gives the
// points that it passed, as it lists them. Any other failure of it ends the test.
func Run(t testing.TB, cmd *exec.Cmd, at int) (points []string, died bool) {
	t.Helper()
	list := filepath.Join(t.TempDir(), "points")
	cmd.Env = append(os.Environ(), "AMBER_FAULT_LIST="+list, "AMBER_FAULT_AT="+strconv.Itoa(at))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	died = errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	if err != nil && !died {
		t.Fatalf("%q at point %d: %v\n%s", cmd.Args[1:], at, err, out)
	}
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), died
}

// Last is the name of the last of those points.
func Last(points []string) string {
	_, name, _ := strings.Cut(points[len(points)-1], " ")
	return name
}

// Build builds a program of a test with the tag fault. It is static: it may be
// run in a container too.
func Build(t testing.TB, folder string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(folder))
	cmd := exec.Command("go", "build", "-tags", "fault", "-o", bin, folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, out)
	}
	return bin
}
