// Package harness attacks and breaks cases, and watches what the real amber
// makes of it: seeded runs that kill it, fill its disk, cut its input, and
// change, cut, reorder, replay and splice what it has written. Nothing may be
// lost, and nothing false accepted.
//
//	go test ./testdata/harness -seeds 1000            make harness
//	go test ./testdata/harness -seeds 1 -first 4711   one seed again
package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/testdata/testbed"
)

var (
	seeds = flag.Int("seeds", 100, "how many seeded runs")
	first = flag.Int64("first", 1, "the first seed")
	hang  = flag.Duration("hang", 3*time.Minute, "how long a command may take before it counts as hanging")
)

// The binaries under test: as it is shipped, and the one that dies at the fault
// points (evidence/durable).
var plainBin, faultBin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	flag.Parse()
	dir, err := os.MkdirTemp("", "amber-harness-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for bin, tag := range map[*string]string{&plainBin: "", &faultBin: "fault"} {
		*bin = filepath.Join(dir, "amber"+tag)
		cmd := exec.Command("go", "build", "-tags", tag, "-o", *bin, "./cmd/amber")
		cmd.Dir = filepath.Join(testbed.Source(), "..", "..")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building amber: %v\n%s", err, out)
			return 1
		}
	}
	code := m.Run()
	if testing.Verbose() {
		printTable(os.Stdout)
	}
	return code
}

// result is what became of a command.
type result struct {
	code   int // -1 where a signal ended it
	killed bool
	text   string // both outputs
}

// user is somebody with a home, and so a key.
type user struct{ home string }

const passphrase = "only for a test"

func (u user) env(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + u.home, "AMBER_KEY_PASSPHRASE=" + passphrase, "GOMAXPROCS=2",
		"AMBER_HOLDS=" + filepath.Join(u.home, "holds"), "CONTAINERD_ADDRESS=" + filepath.Join(u.home, "absent.sock"),
	}, more...)
}

// amber runs the plain binary.
func (u user) amber(t testing.TB, args ...string) result {
	t.Helper()
	return u.run(t, nil, plainBin, args...)
}

func (u user) run(t testing.TB, env []string, bin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), *hang)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Env, cmd.Dir = u.env(env...), u.home
	out, err := cmd.CombinedOutput()
	r := result{text: string(out)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		t.Fatalf("amber %q hangs\n%s", args, out)
	case errors.As(err, &exit):
		r.code = exit.ExitCode()
		r.killed = exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL
	case err != nil:
		t.Fatalf("amber %q: %v", args, err)
	}
	if strings.Contains(r.text, "panic:") || strings.Contains(r.text, "goroutine ") {
		t.Fatalf("amber %q panics\n%s", args, out)
	}
	return r
}

// want fails the test where a command did not end with one of the codes.
func (r result) want(t testing.TB, what string, codes ...int) result {
	t.Helper()
	for _, c := range codes {
		if r.code == c {
			return r
		}
	}
	t.Fatalf("%s: exits %d, want %v\n%s", what, r.code, codes, r.text)
	return r
}
