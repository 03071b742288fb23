package checkpoint

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/evidence/analyse"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

func TestContainer(t *testing.T) { checkAll(t) }

func TestContainerCGroup2(t *testing.T) {
	if testbed.CGroup2World(t) {
		checkAll(t)
	}
}

func checkAll(t *testing.T) {
	w := newWorld(t)
	t.Run("frozen", w.frozen)
	t.Run("running", w.running)
	t.Run("killed half way", func(t *testing.T) { w.stopped(t, "KILL", time.Minute) })
	t.Run("hangs half way", func(t *testing.T) { w.stopped(t, "STOP", 3*time.Second) })
	t.Run("hangs at once", w.hangs)
	t.Run("absent", w.absent)
	t.Run("disk full", w.diskFull)
	t.Run("ends meanwhile", w.gone)
}

// What is frozen is dumped, kept, and frozen still.
func (w *world) frozen(t *testing.T) {
	c := w.run(t, "frozen", counts)
	must(t, w.rt.Pause(t.Context(), c))
	sink, rec := take(t, c, w.options())
	still(t, c)
	if len(sink.Misses) > 0 || !rec.Frozen || !rec.FrozenAfter || rec.Thawed != "" || rec.CRIU != "4.1.1" || rec.FrozenUsec == 0 {
		t.Errorf("misses %v; record %+v", sink.Misses, rec)
	}
	for _, name := range []string{"checkpoint/inventory.img", "checkpoint/pstree.img", "checkpoint/core-1.img", "checkpoint/pages-1.img", "config.dump", "spec.dump", "dump.log", "stats-dump"} {
		if sink.Members["checkpoint/"+name] == nil {
			t.Errorf("%s is not kept: %v", name, sink.Order)
		}
	}
	if len(rec.Processes) == 0 || rec.Processes[0].PID != 1 || rec.Processes[0].HostPID != c.PID {
		t.Errorf("processes %+v", rec.Processes)
	}
	w.nothingLeft(t, c)
	w.goesOn(t, c)
}

// nothingLeft looks for what a checkpoint leaves in the runtime's folders.
func (w *world) nothingLeft(t *testing.T, c container.Container) {
	t.Helper()
	if out, err := w.tb.CTR("content", "ls"); err != nil || strings.Contains(out, "checkpoint") {
		t.Errorf("the content store: %v\n%s", err, out)
	}
	if out, err := w.tb.CTR("images", "ls"); err != nil || strings.Contains(out, "checkpoint") {
		t.Errorf("the images: %v\n%s", err, out)
	}
	bundle := container.Bundle(c.PID, c.Namespace, c.ID, w.tb.State)
	for _, pattern := range []string{"criu*", "work/criu*", "dump*"} {
		if left, _ := filepath.Glob(filepath.Join(bundle, pattern)); len(left) > 0 {
			t.Errorf("left in the bundle: %v", left)
		}
	}
}

// What runs runs on.
func (w *world) running(t *testing.T) {
	c := w.run(t, "running", counts)
	sink, rec := take(t, c, w.options())
	if len(sink.Misses) > 0 || rec.Frozen || rec.FrozenAfter || rec.Images == 0 {
		t.Errorf("misses %v; record %+v", sink.Misses, rec)
	}
	w.goesOn(t, c)
}

// A CRIU that dies or stops while it holds the tasks is a miss; they are
// frozen again and have lost nothing.
func (w *world) stopped(t *testing.T, signal string, limit time.Duration) {
	c := w.run(t, "stopped-"+strings.ToLower(signal), counts)
	must(t, w.rt.Pause(t.Context(), c))
	w.mode(t, signal)
	defer w.mode(t, "")
	o := w.options()
	o.Timeout = limit
	sink, rec := take(t, c, o)
	t.Logf("%s: %v; thawed %q", signal, sink.Misses, rec.Thawed)
	if (len(rec.Ended) > 0) != (sink.Misses["checkpoint/ended"] != "") {
		t.Errorf("ended %v; misses %v", rec.Ended, sink.Misses)
	}
	if slices.Contains(rec.Ended, c.PID) { // CRIU died while it held its registers, and that was said
		return
	}
	still(t, c)
	if sink.Misses["checkpoint"] == "" || rec.Error == "" || !rec.FrozenAfter {
		t.Errorf("misses %v; record %+v", sink.Misses, rec)
	}
	if (rec.Thawed != "") != (sink.Misses["checkpoint/frozen"] != "") {
		t.Errorf("thawed %q; misses %v", rec.Thawed, sink.Misses)
	}
	w.nothingLeft(t, c)
	w.goesOn(t, c)
}

func (w *world) hangs(t *testing.T) {
	c := w.run(t, "hangs", counts)
	must(t, w.rt.Pause(t.Context(), c))
	w.mode(t, "hang")
	defer w.mode(t, "")
	o := w.options()
	o.Timeout = 6 * time.Second
	sink, _ := take(t, c, o)
	pid, err := os.ReadFile(filepath.Join(w.criu, "hangs")) // no real CRIU outlives the runc that speaks to it
	must(t, err)
	if n, err := strconv.Atoi(strings.TrimSpace(string(pid))); err == nil {
		_ = unix.Kill(n, unix.SIGKILL)
	}
	if why := sink.Misses["checkpoint"]; !strings.Contains(why, "did not end within 6s") || !strings.Contains(why, "--checkpoint-timeout") {
		t.Errorf("misses %v", sink.Misses)
	}
	still(t, c)
	w.goesOn(t, c)
}

// Without the wrapper the runtime finds this machine's own CRIU, Debian 12's,
// which is too old for a new kernel; or none.
func (w *world) absent(t *testing.T) {
	c := w.run(t, "absent", counts)
	must(t, w.rt.Pause(t.Context(), c))
	must(t, os.Rename(w.criu+"/criu", w.criu+"/elsewhere"))
	defer func() { must(t, os.Rename(w.criu+"/elsewhere", w.criu+"/criu")) }()
	want := "executable file not found"
	if _, err := os.Stat("/usr/sbin/criu"); err == nil {
		want = "vdso"
	}
	sink, rec := take(t, c, w.options())
	t.Log(sink.Misses)
	if rec.Error == "" && want == "vdso" {
		t.Skip("this machine's CRIU is not too old")
	}
	if why := sink.Misses["checkpoint"]; !strings.Contains(why, want) || len(rec.Advice) == 0 || !strings.Contains(rec.Advice[0], "install") {
		t.Errorf("misses %v; record %+v", sink.Misses, rec)
	}
	w.nothingLeft(t, c)
	still(t, c)
	w.goesOn(t, c)
}

func (w *world) diskFull(t *testing.T) {
	c := w.run(t, "full", counts)
	must(t, w.rt.Pause(t.Context(), c))
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"))
	defer func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	o := w.options()
	o.Spool = dir
	sink, rec := take(t, c, o)
	t.Log(sink.Misses)
	if !strings.Contains(sink.Misses["checkpoint"], "another disk") || rec.Images != 0 {
		t.Errorf("misses %v; record %+v", sink.Misses, rec)
	}
	still(t, c)
	w.goesOn(t, c)
}

func (w *world) gone(t *testing.T) {
	c := w.run(t, "gone", counts)
	must(t, w.rt.Kill(t.Context(), c))
	sink, _ := take(t, c, w.options())
	t.Log(sink.Misses)
	if sink.Misses["checkpoint"] == "" {
		t.Error("no miss")
	}
}

// What CRIU refuses is a miss with its own words and what can be done: here a
// deleted file of more than its limit.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	c := w.run(t, "refused", evil)
	must(t, w.rt.Pause(t.Context(), c))
	sink, rec := take(t, c, w.options())
	t.Log(sink.Misses)
	if why := sink.Misses["checkpoint"]; !strings.Contains(why, "ghost file") || !strings.Contains(why, "ghost-limit 256M") || sink.Members["checkpoint/dump.log"] == nil {
		t.Errorf("misses %v; record %+v", sink.Misses, rec)
	}
	still(t, c)
	w.goesOn(t, c)
}

const connected = `
nc -l -p 4444 -e sleep 1000 &
usleep 300000
sleep 1000 | nc 127.0.0.1 4444 &
usleep 300000
` + counts

// An open connection is refused unless it is allowed; then it is in the
// checkpoint, joined to those who hold it.
func TestConnection(t *testing.T) {
	w := newWorld(t)
	w.config(t)
	c := w.run(t, "connected", connected)
	must(t, w.rt.Pause(t.Context(), c))
	o := w.options()
	sink, _ := take(t, c, o)
	if why := sink.Misses["checkpoint"]; !strings.Contains(why, "--checkpoint-allow tcp-established") {
		t.Errorf("misses %v", sink.Misses)
	}
	still(t, c)
	o.Allow.TCPEstablished = true
	sink, rec := take(t, c, o)
	still(t, c)
	if why := sink.Misses["checkpoint"]; why != "" {
		w.goesOn(t, c)
		t.Skipf("this kernel and CRIU %s do not get on with connections: %s", rec.CRIU, why)
	}
	k := bundleOf(t, c, o)
	cp, err := analyse.ReadCheckpoint(k.b)
	must(t, err)
	if len(cp.Bad) > 0 || !slices.ContainsFunc(cp.Sockets, func(s *record.NetSocket) bool {
		return s.State == "established" && s.Local == "127.0.0.1" && s.Remote == "127.0.0.1" && s.RemotePort == 4444 && len(s.Owners) > 0 && s.Owners[0].Comm == "nc"
	}) {
		t.Errorf("%+v; %v", cp.Sockets, cp.Bad)
	}
	if left := tables(t, c); strings.Contains(left, "CRIU") {
		t.Errorf("CRIU's rules are left in the container's network:\n%s", left)
	}
	w.goesOn(t, c)
}

// tables are the nftables of the container's network namespace.
func tables(t *testing.T, c container.Container) string {
	t.Helper()
	must(t, testbed.Fetch("nft"))
	out, err := exec.Command("nsenter", "--net", "--target", strconv.Itoa(c.PID), testbed.NFT(), "list", "ruleset").CombinedOutput()
	if err != nil {
		t.Errorf("nft: %v\n%s", err, out)
	}
	return string(out)
}

// What is frozen by a cgroup that CRIU does not thaw would have it wait for
// ever: it is not begun.
func TestFrozenElsewhere(t *testing.T) {
	w := newWorld(t)
	c := w.run(t, "elsewhere", counts)
	groups, err := container.CGroups(c.PID)
	must(t, err)
	two := slices.IndexFunc(groups, container.CGroup.V2)
	one := slices.IndexFunc(groups, func(g container.CGroup) bool { return g.Has("freezer") })
	if one < 0 || two < 0 || groups[two].Path == "/" {
		t.Skip("needs a host with both cgroup hierarchies")
	}
	must(t, os.WriteFile(filepath.Join(groups[two].Dir, "cgroup.freeze"), []byte("1"), 0))
	until(t, func() bool { return container.Frozen(c.PID) })
	sink, _ := take(t, c, w.options())
	if sink.Misses["checkpoint"] != errElsewhere.Error() || len(sink.Order) > 0 {
		t.Errorf("misses %v, members %v", sink.Misses, sink.Order)
	}
	must(t, os.WriteFile(filepath.Join(groups[two].Dir, "cgroup.freeze"), []byte("0"), 0))
	w.goesOn(t, c)
}
