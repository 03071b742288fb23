//go:build e2e

package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"amber/testdata/testbed"
)

// victim is one container, and one user who responds to it.
type victim struct {
	*user
	quick *user // the same without a passphrase: looks are not signed, and not slowed by the key's derivation
	r     testbed.Running
	cats  *atomic.Int64
}

// Every crash of respond leaves what stood still standing, a bundle that opens
// and says what it is, and a target that another process brings back.
func TestCrashRespond(t *testing.T) {
	c := testbed.StartContainerd(t)
	var cats atomic.Int64
	var victims []*victim
	for _, id := range []string{"one", "two"} {
		u := newHastyUser(t, c)
		v := &victim{user: u, quick: u.with("AMBER_KEY_PASSPHRASE", ""), r: c.Run(t, id, script), cats: &cats}
		ready(t, v.r, "/ready")
		victims = append(victims, v)
	}
	_, points := victims[0].dieAt(t, 0, "respond", "--case", filepath.Join(victims[0].home, "list"), "--yes", "--resume", ref(victims[0].r))
	mustPass(t, points,
		"create 0001-freeze.jsonl", "write 0001-freeze.jsonl", "fsync 0001-freeze.jsonl", "fsync journal",
		"create HOLD.json.tmp", "write HOLD.json.tmp", "fsync HOLD.json.tmp", "rename HOLD.json", "fsync holds", "remove HOLD.json",
		"create case.json.tmp", "write case.json.tmp", "fsync case.json.tmp", "rename case.json",
		"runtime pause", "runtime resume",
		"create INCOMPLETE.tmp", "write INCOMPLETE.tmp", "fsync INCOMPLETE.tmp", "rename INCOMPLETE",
		"create network-00000", "create process-00000", "create filesystem-00000", "create metadata-00000", "create members-00000",
		"write segment", "fsync filesystem-00000", "rename blob", "fsync sha256",
		"create wal.jsonl", "write wal.jsonl", "fsync wal.jsonl", "remove wal.jsonl", "remove partial", "remove INCOMPLETE",
		"write index.json.tmp", "rename index.json", "create SHA256SUMS.tmp", "write SHA256SUMS.tmp", "fsync SHA256SUMS.tmp", "rename SHA256SUMS",
		"create 001-sshsig.tmp", "write 001-sshsig.tmp", "fsync 001-sshsig.tmp", "rename 001-sshsig", "fsync seal",
		"create custody.jsonl", "write custody.jsonl", "fsync custody.jsonl")
	t.Logf("%d points in a run without a crash", len(points))
	everyPoint(t, len(victims), func(w, n int) ([]string, bool) { return victims[w].dieAndRecover(t, n) })
	if cats.Load() < 500 && !t.Failed() {
		t.Errorf("only %d members of interrupted bundles could be read", cats.Load())
	}
	t.Logf("%d members of interrupted bundles were read, and matched", cats.Load())
}

// script gives the container something to be collected.
const script = `echo evidence > /etc/evidence; head -c 300000 /bin/busybox > /tmp/dropped; mkdir /d; touch /d/a /d/b; touch /ready; exec sleep 100000`

func (v *victim) dieAndRecover(t *testing.T, n int) ([]string, bool) {
	dir := filepath.Join(v.home, "case-"+itoa(n))
	defer os.RemoveAll(dir)
	r, points := v.dieAt(t, n, "respond", "--case", dir, "--yes", "--resume", ref(v.r))
	seen, when := kernel(t, v.r), time.Now()
	if !r.died() {
		r.want(t, 0, 3)
		wantState(t, v.c, v.r, "RUNNING", "respond --resume")
		return points, false
	}
	at := "killed at " + points[n-1]
	v.checkState(t, points, seen, at)
	v.checkBundles(t, dir, at)
	time.Sleep(time.Until(when.Add(200 * time.Millisecond)))
	if again := kernel(t, v.r); again != seen {
		t.Fatalf("%s: the crash left it %s, and later it is %s", at, seen, again)
	}
	v.recover(t, dir, n, seen, at)
	return points, true
}

// checkState compares the kernel with what the points say was done.
func (v *victim) checkState(t *testing.T, points []string, seen, at string) {
	switch {
	case !passed(points, "before runtime pause") && seen != "RUNNING":
		t.Errorf("%s: it is %s before it was asked to pause", at, seen)
	case passed(points, "after runtime pause") && !passed(points, "before runtime resume") && seen != "FROZEN":
		t.Errorf("%s: it was paused and is %s", at, seen)
	}
}

// checkBundles looks into what the crash left of a bundle.
func (v *victim) checkBundles(t *testing.T, dir, at string) {
	for _, id := range bundles(t, dir) {
		r := v.quick.run(t, "evidence", "verify", "--case", dir, "--output", "json", id)
		var got struct {
			Bundles []struct {
				State    string
				Problems []any
			}
		}
		if r.code != 0 && r.code != 3 {
			t.Errorf("%s: verify exits %d\n%.2000s%.1000s", at, r.code, r.out, r.err)
			return
		}
		r.json(t, &got)
		_, err := os.Lstat(filepath.Join(dir, "evidence", id, "SHA256SUMS"))
		complete := err == nil
		switch state := got.Bundles[0].State; {
		case state == "incomplete" && r.code == 3:
		case complete && (state == "sealed" || state == "unsigned" && r.code == 3):
		default:
			t.Errorf("%s: verify exits %d and says %q, SHA256SUMS is there: %v", at, r.code, state, complete)
		}
		v.checkMembers(t, dir, id, complete, at)
	}
}

// member is a line of ls --output json.
type member struct {
	Path    string `json:"path"`
	Path64  string `json:"path64"`
	Type    string `json:"type"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
	Payload string `json:"payload"`
	Reason  string `json:"reason"`
	Notes   []string
}

// members lists what a bundle holds.
func (u *user) members(t testing.TB, dir, id string) (all []member) {
	t.Helper()
	r := u.run(t, "evidence", "ls", "--case", dir, "--output", "json", id).want(t, 0)
	d := json.NewDecoder(strings.NewReader(r.out))
	for d.More() {
		var m member
		if err := d.Decode(&m); err != nil {
			t.Fatalf("reading the members of %s: %v", id, err)
		}
		if m.Path64 != "" {
			p, err := base64.StdEncoding.DecodeString(m.Path64)
			if err != nil {
				t.Fatal(err)
			}
			m.Path = string(p)
		}
		all = append(all, m)
	}
	return all
}

// wanted are members that lie at the beginning and the end of their payloads.
var wanted = []string{"network/", "filesystem/upper/etc/evidence", "filesystem/upper/tmp/dropped", "metadata/"}

// checkMembers reads a member of each payload. Where a payload was closed, its
// members are whole and must be there.
func (v *victim) checkMembers(t *testing.T, dir, id string, complete bool, at string) {
	wal, _ := os.ReadFile(filepath.Join(dir, "evidence", id, "wal.jsonl"))
	closed := func(payload string) bool {
		return complete || bytes.Contains(wal, []byte(`"payload":"`+payload+`"`)) && bytes.HasSuffix(wal, []byte("\n"))
	}
	list := v.quick.members(t, dir, id)
	if complete && len(list) < 50 {
		t.Errorf("%s: SHA256SUMS is there, and ls lists %d members", at, len(list))
	}
	left := map[string]bool{}
	for _, w := range wanted {
		left[w] = true
	}
	for _, m := range list {
		for w := range left {
			if m.Type != "file" || m.Size == 0 || !strings.HasPrefix(m.Path, w) {
				continue
			}
			delete(left, w)
			v.checkCat(t, dir, id, m, closed(m.Payload), at)
			break
		}
	}
}

func (v *victim) checkCat(t *testing.T, dir, id string, m member, must bool, at string) {
	r := v.quick.run(t, "evidence", "cat", "--case", dir, id, m.Path)
	sum := sha256.Sum256([]byte(r.out))
	switch {
	case r.code == 0 && hex.EncodeToString(sum[:]) != m.SHA256:
		t.Errorf("%s: cat %s gives other bytes than were kept", at, m.Path)
	case r.code == 0:
		v.cats.Add(1)
	case must || r.code != 1:
		t.Errorf("%s: cat %s exits %d: %s", at, m.Path, r.code, r.err)
	}
}

// recover releases what the dead amber left, by the case or from elsewhere by
// the host's index, and responds once more.
func (v *victim) recover(t *testing.T, dir string, n int, seen, at string) {
	if list := v.quick.run(t, "isolate", "list").want(t, 0); seen == "FROZEN" {
		list.says(t, ref(v.r))
	}
	args, code := []string{"isolate", "release", "--all", "--yes"}, 0
	if n/2%2 == 0 { // both ways for the point before a step and for the one after it
		args = append(args, "--case", dir)
		if _, err := os.Stat(filepath.Join(dir, "case.json")); err != nil && seen != "FROZEN" {
			code = 2 // it is no case yet, and holds nothing
		}
	}
	v.quick.run(t, args...).want(t, code)
	wantState(t, v.c, v.r, "RUNNING", at+", released")
	if left := v.holds(t); len(left) > 0 {
		t.Errorf("%s: after the release the index holds %q", at, left)
	}
	before := len(bundles(t, dir))
	v.run(t, "respond", "--case", dir, "--yes", "--resume", ref(v.r)).want(t, 0, 3)
	ids := bundles(t, dir)
	if len(ids) != before+1 {
		t.Fatalf("%s: a new respond gives %q", at, ids)
	}
	v.quick.run(t, "evidence", "verify", "--case", dir, newest(t, dir)).want(t, 0)
	wantState(t, v.c, v.r, "RUNNING", at+", responded again")
}

// newest is the bundle of a case that was made last.
func newest(t testing.TB, dir string) (id string) {
	var last time.Time
	for _, b := range bundles(t, dir) {
		info, err := os.Stat(filepath.Join(dir, "evidence", b, "blobs"))
		if err == nil && info.ModTime().After(last) {
			id, last = b, info.ModTime()
		}
	}
	return id
}
