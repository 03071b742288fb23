//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/testdata/testbed"
)

// A release that was cut off is begun again, by the case or by the index, and
// ends with everything let go.
func TestCrashRelease(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "held", script)
	ready(t, r, "/ready")
	everyPoint(t, 1, func(_, n int) ([]string, bool) {
		dir := filepath.Join(u.home, "case-"+itoa(n))
		defer os.RemoveAll(dir)
		u.run(t, "isolate", "--case", dir, "--yes", ref(r)).want(t, 0)
		wantState(t, c, r, "PAUSED", "isolate")
		got, points := u.dieAt(t, n, "isolate", "release", "--case", dir, "--all", "--yes")
		if !got.died() {
			got.want(t, 0)
			mustPass(t, points, "write 0001-freeze.jsonl", "fsync 0001-freeze.jsonl", "runtime resume", "remove HOLD.json", "fsync holds", "write custody.jsonl", "fsync custody.jsonl")
			wantState(t, c, r, "RUNNING", "released")
			return points, false
		}
		at := "release killed at " + points[n-1]
		if state := kernel(t, r); !passed(points, "before runtime resume") && state != "FROZEN" && n > 1 {
			t.Errorf("%s: it is %s before anybody resumed it", at, state)
		}
		args := []string{"isolate", "release", "--all", "--yes"}
		if n/2%2 == 0 {
			args = append(args, "--case", dir)
		}
		u.run(t, args...).want(t, 0)
		wantState(t, c, r, "RUNNING", at+", released again")
		if left := u.holds(t); len(left) > 0 {
			t.Errorf("%s: the index holds %q", at, left)
		}
		u.wantReleased(t, dir, at)
		if log := u.run(t, "evidence", "custody", "--case", dir).want(t, 0, 3); !strings.Contains(log.out, "revert") {
			t.Logf("%s: the journal alone tells of the release, the custody log does not", at)
		}
		return points, true
	})
}

// wantReleased checks what the journals of a case say.
func (u *user) wantReleased(t *testing.T, dir, at string) {
	var entries []struct{ ID, State string }
	u.run(t, "isolate", "list", "--case", dir, "--output", "json").want(t, 0).json(t, &entries)
	for _, e := range entries {
		if e.State != "released" {
			t.Errorf("%s: the journal %s says %s", at, e.ID, e.State)
		}
	}
}

// copyTree copies a case, so that each crash has a fresh one.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
}

// A signing that was cut off leaves a bundle that is signed or not, and can be
// signed again.
func TestCrashSign(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "unsigned", script)
	ready(t, r, "/ready")
	plain := filepath.Join(u.home, "unsigned")
	u.with("HOME", t.TempDir(), "AMBER_KEY_PASSPHRASE", "").run(t, "respond", "--case", plain, "--yes", "--resume", ref(r)).want(t, 3)
	id := only(t, plain)
	everyPoint(t, 2, func(w, n int) ([]string, bool) {
		v := u.with("AMBER_CASE", "")
		v.home = fastDir(t)
		dir := filepath.Join(v.home, "case")
		copyTree(t, plain, dir)
		got, points := v.dieAt(t, n, "evidence", "sign", "--case", dir, id)
		if !got.died() {
			got.want(t, 0)
			mustPass(t, points, "rename 001-sshsig", "fsync seal", "write case.json.tmp", "rename case.json", "write custody.jsonl", "fsync custody.jsonl")
			u.run(t, "evidence", "verify", "--case", dir).want(t, 0)
			return points, false
		}
		at := "sign killed at " + points[n-1]
		if r := u.run(t, "evidence", "verify", "--case", dir); r.code != 0 && r.code != 3 {
			t.Errorf("%s: verify exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
		}
		if r := u.run(t, "evidence", "sign", "--case", dir, id); r.code != 0 {
			t.Errorf("%s: signing again exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
		}
		if r := u.run(t, "evidence", "verify", "--deep", "--case", dir); r.code != 0 {
			t.Errorf("%s: after signing again verify exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
		}
		_ = os.RemoveAll(v.home)
		return points, true
	})
}

// An import that was cut off loses nothing: what arrived opens, and the stream
// can be imported again.
func TestCrashImport(t *testing.T) {
	c := testbed.StartContainerd(t)
	u := newHastyUser(t, c)
	r := c.Run(t, "streamed", script)
	ready(t, r, "/ready")
	stream := filepath.Join(u.home, "stream.tar")
	u.stream(t, stream, "collect", "--case", filepath.Join(u.home, "source"), "--to", "-", ref(r)).want(t, 0, 3)
	everyPoint(t, 2, func(w, n int) ([]string, bool) {
		v := u.with("AMBER_CASE", "")
		v.home = fastDir(t)
		dir := filepath.Join(v.home, "case")
		got, points := v.dieAt(t, n, "evidence", "import", "--case", dir, stream)
		if !got.died() {
			got.want(t, 0)
			mustPass(t, points, "write INCOMPLETE.tmp", "rename blob", "write wal.jsonl", "fsync wal.jsonl", "rename SHA256SUMS", "remove INCOMPLETE", "write custody.jsonl", "fsync custody.jsonl")
			return points, false
		}
		v.importAgain(t, dir, stream, "import killed at "+points[n-1])
		_ = os.RemoveAll(v.home)
		return points, true
	})
}

func (u *user) importAgain(t *testing.T, dir, stream, at string) {
	for _, id := range bundles(t, dir) {
		if r := u.run(t, "evidence", "verify", "--case", dir, id); r.code != 0 && r.code != 3 {
			t.Errorf("%s: verify exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
		}
		if r := u.run(t, "evidence", "ls", "--case", dir, id); r.code != 0 {
			t.Errorf("%s: ls exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
		}
	}
	r := u.run(t, "evidence", "import", "--case", dir, stream)
	if r.code != 0 {
		t.Errorf("%s: importing again exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
		return
	}
	whole := ""
	for _, id := range bundles(t, dir) {
		if !strings.Contains(id, "-import-") {
			whole = id
		}
	}
	if r := u.run(t, "evidence", "verify", "--deep", "--case", dir, whole); r.code != 3 && r.code != 0 || strings.Contains(r.out, "incomplete") {
		t.Errorf("%s: after importing again verify of %s exits %d\n%.2000s%.1000s", at, whole, r.code, r.out, r.err)
	}
	u.wantImported(t, dir, whole, at)
}

// wantImported checks that the custody log tells how a bundle came here.
func (u *user) wantImported(t *testing.T, dir, id, at string) {
	var log struct {
		Entries []struct {
			Action   string
			Evidence struct{ ID string }
		}
	}
	out := u.run(t, "evidence", "custody", "--case", dir, "--output", "json").want(t, 0, 3)
	if err := json.Unmarshal([]byte(out.out), &log); err != nil {
		t.Fatal(err)
	}
	for _, e := range log.Entries {
		if e.Action == "import" && e.Evidence.ID == id {
			return
		}
	}
	t.Errorf("%s: the custody log does not say that %s was imported:\n%.2000s", at, id, out.out)
}

// stream runs amber with its standard output in a file.
func (u *user) stream(t testing.TB, file string, args ...string) result {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := limited()
	defer cancel()
	cmd := u.command(ctx, plainBin, args...)
	cmd.Stdout = f
	return finish(t, ctx, cmd)
}
