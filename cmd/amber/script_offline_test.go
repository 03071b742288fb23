package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// withDisk is "disk DIR": makes of DIR what the disk of the testbed's host would
// show once it is mounted, and takes the containerd down. The host's name is
// what the script's file hostname says.
func withDisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: disk DIR")
	}
	bed, root := worldOf(ts).bed, ts.MkAbs(args[0])
	at := filepath.Join(root, filepath.Dir(bed.Dir))
	ts.Check(os.MkdirAll(at, 0o755))
	_ = exec.Command("cp", "-ax", bed.Dir, at).Run() // the shims' sockets come and go
	ts.Check(bed.Down())
	ts.Check(os.MkdirAll(filepath.Join(root, "etc/containerd"), 0o755))
	config := fmt.Sprintf("root = %q\nstate = %q\n", bed.Root, bed.State)
	ts.Check(os.WriteFile(filepath.Join(root, "etc/containerd/config.toml"), []byte(config), 0o600))
	ts.Check(os.WriteFile(filepath.Join(root, "etc/hostname"), []byte(ts.ReadFile("hostname")), 0o600))
}

// hasEnded is "ended ID…": waits until containers have.
func hasEnded(ts *testscript.TestScript, neg bool, args []string) {
	bed := worldOf(ts).bed
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list, err := bed.CTR("task", "ls")
		ts.Check(err)
		over := 0
		for line := range strings.Lines(list) {
			f := strings.Fields(line)
			for _, id := range args {
				if len(f) == 3 && f[0] == id && f[2] == "STOPPED" {
					over++
				}
			}
		}
		if over == len(args) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("after 30 s still not ended: %v\n%s", args, list)
		}
	}
}
