package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/crit"
	criucore "github.com/checkpoint-restore/go-criu/v8/crit/images/criu-core"
	"github.com/checkpoint-restore/go-criu/v8/crit/images/mm"
	"github.com/checkpoint-restore/go-criu/v8/crit/images/pstree"
	"google.golang.org/protobuf/proto"

	"amber/container"
	"amber/evidence"
	"amber/evidence/analyse"
	"amber/evidence/record"
	"amber/testdata/testbed"
)

// secret is in no file: the container's shell puts it together.
const secret = "amber-canary-77d0"

// evil deletes its executable, keeps a secret in memory alone, and holds a
// connection: a pipe to another process, for this machine's CRIU cannot dump
// sockets of the internet's.
const evil = `
mkdir -p /tmp/.x; cp /bin/busybox /tmp/.x/sh
mkfifo /tmp/fifo
TOKEN=hunter2 /tmp/.x/sh -c 's=$(printf "amber-%s-%s" canary 77d0); exec 7</etc/hosts; while read -r x; do : "$s"; done </tmp/fifo' quiet &
sleep 1000 >/tmp/fifo &
usleep 300000
rm /tmp/.x/sh
i=0; while :; do i=$((i+1)); echo $i >/count; usleep 20000; done`

// taken is a real bundle.
type taken struct {
	t   testing.TB
	dir string
	b   *evidence.Bundle
}

// bundleOf collects into a bundle. Beside the checkpoint it has a writable
// layer, as the collector of the file system gives it.
func bundleOf(t testing.TB, c container.Container, o Options) *taken {
	t.Helper()
	k := &taken{t: t, dir: filepath.Join(t.TempDir(), "b")}
	o.Spool = t.TempDir()
	w, err := evidence.Create(k.dir, "b", 1<<20)
	must(t, err)
	p, err := w.Payload("checkpoint")
	must(t, err)
	must(t, New(o).Collect(t.Context(), c, p))
	must(t, p.Close())
	p, err = w.Payload("filesystem")
	must(t, err)
	for _, m := range []record.Member{
		{Path: "filesystem/upper", Type: record.Dir, Mode: 0o755},
		{Path: "filesystem/upper/tmp", Type: record.Dir, Mode: 0o1777},
		{Path: "filesystem/upper/tmp/loot", Type: record.File, Mode: 0o600, Size: 4},
		{Path: "filesystem/upper/etc-gone", Type: record.CharDev},
		{Path: "filesystem/upper/link", Type: record.Symlink, Mode: 0o777, Link: "/etc/passwd"},
	} {
		must(t, p.Add(&m, strings.NewReader("loot")))
	}
	must(t, p.Close())
	_, err = w.Seal(&record.Acquisition{Target: json.RawMessage(`{}`)}, nil)
	must(t, err)
	k.b, err = evidence.Open(k.dir)
	must(t, err)
	t.Cleanup(func() { k.b.Close() })
	for m, err := range k.b.Members() {
		must(t, err)
		if m.Type == record.Miss {
			t.Errorf("a miss: %s: %s", m.Path, m.Reason)
		}
	}
	r, err := evidence.Verify(t.Context(), k.dir, evidence.VerifyOptions{Deep: true})
	must(t, err)
	if !r.Intact() {
		t.Errorf("the bundle is not intact: %+v", r.Problems)
	}
	return k
}

// evilBundle is a checkpoint of evil, and what its processes are on the host.
func evilBundle(t testing.TB) (*taken, container.Container) {
	t.Helper()
	w := newWorld(t)
	w.config(t)
	c := w.run(t, "evil", evil)
	must(t, w.rt.Pause(t.Context(), c))
	k := bundleOf(t, c, w.options())
	still(t, c)
	return k, c
}

// config lets CRIU keep deleted files of any size, which runc cannot tell it.
func (w *world) config(t testing.TB) {
	t.Helper()
	file := filepath.Join(w.criu, "criu.conf")
	must(t, os.WriteFile(file, []byte("network-lock nftables\nghost-limit 64M\n"), 0o600))
	script, err := os.ReadFile(filepath.Join(w.criu, "criu"))
	must(t, err)
	script = bytes.Replace(script, []byte("#!/bin/sh\n"), []byte("#!/bin/sh\nexport CRIU_CONFIG_FILE="+file+"\n"), 1)
	must(t, os.WriteFile(filepath.Join(w.criu, "criu"), script, 0o755))
}

// What CRIU's images tell is what /proc told.
func TestReadCheckpoint(t *testing.T) {
	k, c := evilBundle(t)
	cp, err := analyse.ReadCheckpoint(k.b)
	must(t, err)
	if len(cp.Bad) > 0 {
		t.Errorf("not understood: %v", cp.Bad)
	}
	var rec record.Checkpoint
	k.json(recordName, &rec)
	inside := map[int]int{}
	for _, p := range rec.Processes {
		inside[p.HostPID] = p.PID
	}
	byPID := map[int]*record.Process{}
	for _, p := range cp.Processes {
		byPID[p.PID] = p
	}
	found, err := container.PIDs(c)
	must(t, err)
	if len(found) != len(cp.Processes) {
		t.Errorf("%d processes, %d in the checkpoint", len(found), len(cp.Processes))
	}
	for _, f := range found {
		k.compare(f.PID, byPID[inside[f.PID]])
	}
	k.quiet(cp)
}

// compare holds a process against /proc.
func (k *taken) compare(host int, p *record.Process) {
	k.t.Helper()
	if p == nil {
		k.t.Fatalf("process %d is not in the checkpoint", host)
	}
	proc := fmt.Sprintf("/proc/%d/", host)
	args, err := os.ReadFile(proc + "cmdline")
	must(k.t, err)
	if got := join(p.Args); got != string(args) {
		k.t.Errorf("%d: arguments %q, not %q", host, got, args)
	}
	exe, err := os.Readlink(proc + "exe")
	must(k.t, err)
	deleted := strings.HasSuffix(exe, " (deleted)")
	if p.Exe == nil || string(p.Exe.Link) != strings.TrimSuffix(exe, " (deleted)") || p.Exe.Deleted != deleted {
		k.t.Errorf("%d: executable %+v, not %q", host, p.Exe, exe)
	}
	env, err := os.ReadFile(proc + "environ")
	must(k.t, err)
	got, err := analyse.Environ(k.b, analyse.FromCheckpoint, p.PID)
	if err != nil || join(got) != string(env) {
		k.t.Errorf("%d: environment %q, not %q: %v", host, join(got), env, err)
	}
	fds, err := os.ReadDir(proc + "fd")
	must(k.t, err)
	for _, fd := range fds {
		to, err := os.Readlink(proc + "fd/" + fd.Name())
		must(k.t, err)
		i := slices.IndexFunc(p.Files, func(f record.OpenFile) bool { return fmt.Sprint(f.FD) == fd.Name() })
		if i < 0 || strings.HasPrefix(to, "/") && to != "/dev/null" && string(p.Files[i].Target) != to {
			k.t.Errorf("%d: descriptor %s is %q, not among %+v", host, fd.Name(), to, p.Files)
		}
	}
}

func join(list []record.Text) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(string(s) + "\x00")
	}
	return b.String()
}

func (k *taken) json(name string, v any) {
	k.t.Helper()
	m, err := k.b.Lookup(name)
	must(k.t, err)
	r, err := k.b.Content(m)
	must(k.t, err)
	must(k.t, json.NewDecoder(r).Decode(v))
}

// quiet checks the process that hides: its executable's bytes are there, and
// its secret is found in its memory.
func (k *taken) quiet(cp *analyse.Checkpoint) {
	k.t.Helper()
	i := slices.IndexFunc(cp.Processes, func(p *record.Process) bool { return p.Exe != nil && p.Exe.Deleted })
	if i < 0 {
		k.t.Fatal("no process has deleted its executable")
	}
	p := cp.Processes[i]
	ghost, err := k.b.Lookup(p.Exe.Member)
	must(k.t, err)
	r, err := k.b.Content(ghost)
	must(k.t, err)
	var all bytes.Buffer
	_, err = all.ReadFrom(r)
	must(k.t, err)
	exe, err := os.ReadFile(filepath.Join(testbed.CacheDir(), "containerd-1.6.20", "bin", "busybox"))
	must(k.t, err)
	if !bytes.Contains(all.Bytes(), exe[:64<<10]) {
		k.t.Errorf("%s has not the executable's bytes", p.Exe.Member)
	}
	pattern, err := analyse.ParsePattern(secret)
	must(k.t, err)
	var hits []analyse.Hit
	_, err = analyse.Search(k.t.Context(), func() (*evidence.Bundle, error) { return evidence.Open(k.dir) }, pattern, analyse.Options{}, func(h analyse.Hit) error {
		hits = append(hits, h)
		return nil
	})
	must(k.t, err)
	if !slices.ContainsFunc(hits, func(h analyse.Hit) bool { return h.PID == p.PID && h.Address != 0 }) {
		k.t.Errorf("the secret is not in the memory of %d: %+v", p.PID, hits)
	}
	texts := 0
	must(k.t, analyse.Strings(k.t.Context(), k.b, analyse.FromCheckpoint, p.PID, 8, func(s analyse.String) error {
		if bytes.Contains(s.Text, []byte(secret)) && slices.ContainsFunc(hits, func(h analyse.Hit) bool {
			return h.PID == s.PID && h.Address >= s.Address && h.Address < s.Address+uint64(len(s.Text))
		}) {
			texts++
		}
		return nil
	}))
	if texts == 0 {
		k.t.Error("strings does not give the secret where search finds it")
	}
	mappings, bad := analyse.Mappings(k.b, analyse.FromCheckpoint, p.PID)
	if len(mappings) == 0 || len(bad) > 0 {
		k.t.Errorf("%d mappings, %v", len(mappings), bad)
	}
}

// checkpointctl builds the real tool.
func checkpointctl(t testing.TB) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "checkpointctl")
	cmd := exec.Command("go", "build", "-o", bin, "github.com/checkpoint-restore/checkpointctl")
	cmd.Dir = filepath.Join("testdata", "checkpointctl")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("checkpointctl does not build here: %v\n%s", err, out)
	}
	return bin
}

// The real checkpointctl reads what is exported.
func TestExport(t *testing.T) {
	k, c := evilBundle(t)
	file := filepath.Join(t.TempDir(), "checkpoint.tar")
	f, err := os.Create(file)
	must(t, err)
	left := map[string]string{}
	done, err := Export(t.Context(), k.b, f, func(path, why string) { left[path] = why })
	must(t, err)
	must(t, f.Close())
	if done.Changed != 3 || done.Deleted != 1 || done.Images < 20 || len(left) != 1 || left[configDumpName] == "" { // this bundle has no metadata
		t.Errorf("%+v; left %v", done, left)
	}
	out, err := exec.Command(checkpointctl(t), "inspect", "--all", "--format", "json", file).CombinedOutput()
	if err != nil {
		t.Fatalf("checkpointctl: %v\n%s", err, out)
	}
	for _, want := range []string{c.ID, testbed.BusyboxImage, "hunter2", "/tmp/.x/sh"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("checkpointctl does not tell of %q:\n%s", want, out)
		}
	}
	diff, err := exec.Command("sh", "-c", `tar -xOf "$0" rootfs-diff.tar | tar -tf -; tar -xOf "$0" deleted.files`, file).CombinedOutput()
	if err != nil || string(diff) != "tmp/\ntmp/loot\nlink\n[\"/etc-gone\"]" {
		t.Errorf("%v: %q", err, diff)
	}
}

// What is written for runc is CRIU's own.
func TestWriteImages(t *testing.T) {
	k, _ := evilBundle(t)
	dir := t.TempDir()
	must(t, WriteImages(t.Context(), k.b, dir))
	parts, err := analyse.CheckpointImages(k.b)
	must(t, err)
	for name, p := range parts {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Size() != p.Size {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := WriteImages(t.Context(), k.b, dir); err == nil {
		t.Error("images that are there were overwritten")
	}
}

// What is read by hand is what go-criu reads.
func TestAgainstGoCRIU(t *testing.T) {
	k, _ := evilBundle(t)
	dir := t.TempDir()
	must(t, WriteImages(t.Context(), k.b, dir))
	cp, err := analyse.ReadCheckpoint(k.b)
	must(t, err)
	for i, e := range entries(t, filepath.Join(dir, "pstree.img"), &pstree.PstreeEntry{}) {
		p, e := cp.Processes[i], e.(*pstree.PstreeEntry)
		if p.PID != int(e.GetPid()) || p.PPID != int(e.GetPpid()) || p.Group != int(e.GetPgid()) || p.Session != int(e.GetSid()) || len(p.Threads) != len(e.GetThreads()) {
			t.Errorf("%+v, not %+v", p, e)
		}
		core := entries(t, filepath.Join(dir, fmt.Sprintf("core-%d.img", p.PID)), &criucore.CoreEntry{})[0].(*criucore.CoreEntry)
		if creds := core.GetThreadCore().GetCreds(); string(p.Comm) != core.GetTc().GetComm() || p.UIDs.Effective != creds.GetEuid() || p.GIDs.FS != creds.GetFsgid() {
			t.Errorf("%+v, not %+v", p, core)
		}
		memory := entries(t, filepath.Join(dir, fmt.Sprintf("mm-%d.img", p.PID)), &mm.MmEntry{})[0].(*mm.MmEntry)
		mappings, _ := analyse.Mappings(k.b, analyse.FromCheckpoint, p.PID)
		if len(mappings) != len(memory.GetVmas()) {
			t.Fatalf("%d mappings of %d, not %d", len(mappings), p.PID, len(memory.GetVmas()))
		}
		for i, v := range memory.GetVmas() {
			if m := mappings[i]; m.Start != fmt.Sprintf("%x", v.GetStart()) || m.End != fmt.Sprintf("%x", v.GetEnd()) || (m.Perms[2] == 'x') != (v.GetProt()&4 != 0) {
				t.Errorf("%+v, not %+v", m, v)
			}
		}
	}
}

// entries reads an image by go-criu's own reader.
func entries(t *testing.T, path string, kind proto.Message) (all []proto.Message) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	img, err := crit.New(f, nil, "", false, true).Decode(kind)
	must(t, err)
	for _, e := range img.Entries {
		all = append(all, e.Message)
	}
	return all
}
