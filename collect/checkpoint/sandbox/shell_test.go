package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminalPair is a pseudo-terminal's two ends.
func terminalPair(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { master.Close() })
	must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	must(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// A shell is beside what runs, on a terminal of the sandbox's own; when it ends,
// all ends.
func TestShell(t *testing.T) {
	w := newWorld(t, did)
	master, slave := terminalPair(t)
	o := w.options(t.TempDir(), "/bin/sh", "-c", "echo of the main process; sleep 1000")
	o.Shell, o.In, o.Out, o.Err = true, slave, slave, slave
	said := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			if err != nil || strings.Contains(all.String(), "end-of-it-42") {
				said <- all.String()
				return
			}
		}
	}()
	// What runs beside the shell may come a moment later than it.
	_, err := master.WriteString("until ps -o args | grep -q '^[s]leep'; do sleep 0.1; done; tty; ps -o args; cat /ready; echo end-of-it-$((6*7)); exit 0\n")
	must(t, err)
	r, err := Run(t.Context(), w.b, o)
	must(t, err)
	text := <-said
	for _, want := range []string{"sleep 1000", "/dev/pts/0", "ready"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%q", want, text)
		}
	}
	if out, err := os.ReadFile(filepath.Join(o.Record, "output")); err != nil || string(out) != "of the main process\n" {
		t.Errorf("%q %v", out, err)
	}
	if r.Exit != 0 || r.Cut != "" {
		t.Errorf("%+v", r)
	}
	w.gone(t, r.Name)
}
