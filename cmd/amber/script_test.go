package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"amber/evidence/timestamp/timestamptest"
	"amber/testdata/testbed"
)

// "amber" in a script is this package's main, as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"amber": main})
}

// TestScripts runs testdata/script: amber's commands and what they answer, in
// files that can be read as documentation. Beside testscript's own commands
// they have those of the table below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "../../testdata/script",
		Setup: setUp,
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"containerd": withContainerd,
			"container":  withContainer,
			"disk":       withDisk,
			"ended":      hasEnded,
			"bundle":     bundleVariable,
			"exits":      exits,
			"change":     change,
			"authority":  withAuthority,
			"storage":    withStorage,
			"custodian":  withCustodian,
			"tpm":        withTPM,
		},
	})
}

// world is what a script has beside its folder.
type world struct {
	tb  testing.TB
	bed *testbed.Containerd
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// setUp keeps a script from the machine's own containers, keys and holds.
func setUp(e *testscript.Env) error {
	e.Values[worldKey{}] = &world{tb: e.T().(testing.TB)}
	for name, path := range map[string]string{
		"HOME": "home", "AMBER_HOLDS": "holds", "CONTAINERD_ADDRESS": "absent.sock", "AMBER_CONTAINERD_STATE": "absent",
	} {
		e.Setenv(name, filepath.Join(e.WorkDir, path))
	}
	e.Setenv("AMBER_KEY_PASSPHRASE", "only for a test")
	return nil
}

// withContainerd is "containerd": a private containerd that amber and ctr then
// speak to, with the container shop, in which an intruder is at work. Its
// target is $TARGET. It is taken down when the script ends.
func withContainerd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: containerd")
	}
	w := worldOf(ts)
	w.bed = testbed.StartContainerd(w.tb)
	_, err := w.bed.Misbehave("shop")
	ts.Check(err)
	for _, v := range w.bed.Env() {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "CONTAINERD_") {
			ts.Setenv(name, value)
		}
	}
	ts.Setenv("AMBER_CONTAINERD_STATE", w.bed.State)
	ts.Setenv("CONTENT", filepath.Join(w.bed.Root, "io.containerd.content.v1.content"))
	ts.Setenv("PATH", ts.Getenv("PATH")+":"+w.bed.Bin)
	ts.Setenv("TARGET", "containerd://"+w.bed.Namespace+"/shop")
}

// withAuthority is "authority ROOTS [HOURS]": a time-stamping authority at $TSA,
// whose certificate ends after so many hours (24), and whose root is in the file.
func withAuthority(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: authority ROOTS [HOURS]")
	}
	hours := 24
	if len(args) == 2 {
		var err error
		hours, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	a := timestamptest.New(worldOf(ts).tb, time.Now().Add(time.Duration(hours)*time.Hour))
	ts.Setenv("TSA", a.URL)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), a.Roots, 0o600))
}

// withContainer is "container ID [NAMESPACE]": one more, which does nothing.
func withContainer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: container ID [NAMESPACE]")
	}
	var options []testbed.RunOption
	if len(args) == 2 {
		options = append(options, testbed.InNamespace(args[1]), testbed.CGroup(args[1]+"-"+args[0]))
	}
	_, err := worldOf(ts).bed.Start(args[0], "while :; do sleep 1; done", options...)
	ts.Check(err)
}

// bundleVariable is "bundle NAME CASE": puts the id of the case's newest bundle
// into $NAME.
func bundleVariable(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bundle NAME CASE")
	}
	entries, err := os.ReadDir(filepath.Join(ts.MkAbs(args[1]), "evidence"))
	ts.Check(err)
	if len(entries) == 0 {
		ts.Fatalf("%s holds no bundle", args[1])
	}
	ts.Setenv(args[0], entries[len(entries)-1].Name())
}

// exits is "exits CODE COMMAND…": the command must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		got = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", args[1], got, want)
	}
}

// change is "change PATTERN OFFSET": flips a bit of the file that matches, the
// largest where several do.
func change(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: change PATTERN OFFSET")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	var name string
	var data []byte
	for _, n := range names {
		d, err := os.ReadFile(n)
		ts.Check(err)
		if len(d) > len(data) {
			name, data = n, d
		}
	}
	if at >= len(data) {
		ts.Fatalf("%s: no file of more than %d bytes", args[0], at)
	}
	data[at] ^= 1
	ts.Check(os.WriteFile(name, data, 0o600))
}
