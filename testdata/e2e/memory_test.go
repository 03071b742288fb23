//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/testdata/testbed"
)

const peakLimit = 200 << 20 // bytes; docs/decisions/memory.md

// upper is the writable layer of a running container, on the host.
func upper(t testing.TB, r testbed.Running) string {
	t.Helper()
	f, err := os.Open("/proc/" + itoa(r.PID) + "/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		fields := strings.Fields(s.Text())
		if len(fields) > 4 && fields[4] == "/" {
			_, rest, ok := strings.Cut(s.Text(), "upperdir=")
			if dir, _, _ := strings.Cut(rest, ","); ok && filepath.IsAbs(dir) {
				return dir
			}
		}
	}
	t.Fatal("the container has no overlay")
	return ""
}

// crowd makes a directory of n empty files.
func crowd(t testing.TB, dir string, n int) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i := range n {
		fd, err := syscall.Openat(int(d.Fd()), "file-"+strconv.Itoa(i), syscall.O_CREAT|syscall.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(fd)
	}
}

// sparse makes a file of size bytes with a little data at its ends.
func sparse(t testing.TB, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("head"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("tail"), size-4); err != nil {
		t.Fatal(err)
	}
}

// Peak memory stays flat whatever the target has.
func TestPeakMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	t.Setenv("TMPDIR", fastDir(t)) // the containerd's root: a million files are made sooner in memory
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "crowded", script)
	ready(t, r, "/ready")
	begin := time.Now()
	crowd(t, filepath.Join(upper(t, r), "crowd"), 1_000_000)
	sparse(t, filepath.Join(upper(t, r), "sparse"), 50<<30)
	t.Logf("made a million files in %s", time.Since(begin).Round(time.Second))
	for name, args := range map[string][]string{
		"spooled":  {"respond", "--yes", "--resume", "--full", "--case", filepath.Join(u.home, "spooled")},
		"streamed": {"respond", "--yes", "--resume", "--full", "--to", "-", "--case", filepath.Join(u.home, "streamed")},
	} {
		t.Run(name, func(t *testing.T) {
			peak := u.peak(t, append(args, ref(r))...).want(t, 0, 3)
			t.Logf("%s: peak %d MiB resident (wait4), took %s", name, peak.maxRSS>>20, peak.took.Round(time.Second))
			if peak.maxRSS > peakLimit {
				t.Errorf("peak of %d bytes, more than %d", peak.maxRSS, peakLimit)
			}
			if !strings.Contains(peak.out+peak.err, "filesystem") {
				t.Errorf("nothing collected:\n%s%s", peak.out, peak.err)
			}
		})
	}
	dir := filepath.Join(u.home, "spooled")
	v := u.peak(t, "evidence", "verify", "--deep", "--case", dir).want(t, 0).says(t, "members")
	t.Logf("verify --deep: peak %d MiB, took %s\n%s", v.maxRSS>>20, v.took.Round(time.Second), v.out)
	ls := u.peak(t, "evidence", "ls", "--case", dir, "--output", "json", only(t, dir)).want(t, 0)
	t.Logf("ls of it: peak %d MiB, %d lines", ls.maxRSS>>20, strings.Count(ls.out, "\n"))
	if n := strings.Count(ls.out, "/crowd/file-"); n < 1_000_000 {
		t.Errorf("%d of the million files are in the bundle", n)
	}
	for _, r := range []result{v, ls} {
		if r.maxRSS > peakLimit {
			t.Errorf("amber %q: peak of %d bytes", r.args, r.maxRSS)
		}
	}
}

// peak runs amber with a limit of minutes; a streamed bundle goes to nowhere.
func (u *user) peak(t *testing.T, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	cmd := u.command(ctx, plainBin, args...)
	for i, a := range args {
		if a == "--to" && args[i+1] == "-" {
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close()
			cmd.Stdout = null
		}
	}
	return finish(t, ctx, cmd)
}
