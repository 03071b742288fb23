package offline_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"amber/container"
	"amber/container/offline"
	"amber/testdata/testbed"
)

// put writes a file below root, with the folders on the way.
func put(t testing.TB, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t testing.TB, root, to, name string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(to, file); err != nil {
		t.Fatal(err)
	}
}

func id(digit string) string { return strings.Repeat(digit, 64) }

const secret = "a secret of this host"

// outside makes a file of this host that no path below a root may lead to.
func outside(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "config.v2.json", `{"ID":"`+id("a")+`","Name":"`+secret+`"}`)
	put(t, dir, "diff/secret", secret)
	put(t, dir, "lower", secret)
	return dir
}

// everything lists, gets and describes, and gives all that was said.
func everything(t testing.TB, r *offline.Runtime) string {
	t.Helper()
	ctx := context.Background()
	all, err := r.List(ctx)
	said := fmt.Sprintln(err)
	for _, c := range all {
		full, err := r.Get(ctx, c)
		docs, misses, err2 := r.Describe(ctx, c)
		said += fmt.Sprintf("%+v %v %q %v %v\n", full, err, docs, misses, err2)
	}
	return said
}

// TestLinksStayBelowRoot: every link is read as the node would read it.
func TestLinksStayBelowRoot(t *testing.T) {
	out, root := outside(t), t.TempDir()
	rel := strings.Repeat("../", 30) + out
	link(t, root, "/data/docker", "var/lib/docker") // as nodes have it, inside
	at := "data/docker/containers/"
	put(t, root, at+id("1")+"/config.v2.json", `{"ID":"x","Name":"/inside","Driver":"overlay2","Config":{"Image":"i"},"LogPath":"`+rel+`/secret.log"}`)
	link(t, root, out, at+id("2"))
	link(t, root, rel, at+id("3"))
	link(t, root, out+"/config.v2.json", at+id("4")+"/config.v2.json")
	link(t, root, rel+"/config.v2.json", at+id("5")+"/config.v2.json")
	link(t, root, "config.v2.json", at+id("6")+"/config.v2.json") // a circle
	link(t, root, "/proc/self/root"+out+"/config.v2.json", at+id("7")+"/config.v2.json")
	mounts := "data/docker/image/overlay2/layerdb/mounts/" + id("1")
	put(t, root, mounts+"/mount-id", "layer")
	put(t, root, "data/docker/overlay2/layer/lower", "l/A:l/B:l/../../../x:/etc:l/C")
	link(t, root, "../below/diff", "data/docker/overlay2/l/A")
	link(t, root, rel+"/diff", "data/docker/overlay2/l/B")
	link(t, root, out+"/diff", "data/docker/overlay2/l/C")
	r := open(t, root)
	said := everything(t, r)
	if strings.Contains(said, secret) {
		t.Errorf("a file out of the root was read: %s", said)
	}
	c := get(t, r, find(t, r, "inside"))
	if fmt.Sprint(c.Rootfs.Lower) != "[/var/lib/docker/overlay2/below/diff]" {
		t.Errorf("lower layers %v", c.Rootfs.Lower)
	}
	if notes := strings.Join(c.Notes, "\n"); strings.Count(notes, "root file system: layer") != 4 {
		t.Errorf("notes %s", notes)
	}
}

// TestNamesAreNoPaths: what the records call layers, images and containers.
func TestNamesAreNoPaths(t *testing.T) {
	out, root := outside(t), t.TempDir()
	up := strings.Repeat("../", 30) + out[1:]
	put(t, root, "var/lib/docker/containers/"+id("1")+"/config.v2.json", `{"Driver":"overlay2","Image":"sha256:../../../../x","Name":"/one"}`)
	put(t, root, "var/lib/docker/image/overlay2/layerdb/mounts/"+id("1")+"/mount-id", up)
	put(t, root, "var/lib/docker/containers/"+id("2")+"/config.v2.json", `{"Driver":"../../`+up+`","Name":"/two"}`)
	put(t, root, "var/lib/containers/storage/overlay-containers/containers.json", `[{"id":"`+up+`","layer":"`+id("1")+`","names":["three"]},
		{"id":"`+id("4")+`","layer":"`+up+`","image":"`+up+`","names":["four"],"metadata":"{\"name\": 4"}]`)
	said := everything(t, open(t, root))
	if strings.Contains(said, secret) {
		t.Errorf("a file out of the root was read: %s", said)
	}
	for _, want := range []string{"its layer is called", "is no digest", "the storage driver is called", "none that containers/storage gives"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing says %q: %s", want, said)
		}
	}
}

// TestSizesAndKinds: records that claim terabytes, never end, or are no files.
func TestSizesAndKinds(t *testing.T) {
	root := t.TempDir()
	at := "var/lib/docker/containers/"
	sparse := func(name string) {
		put(t, root, name, "")
		if err := os.Truncate(filepath.Join(root, name), 1<<42); err != nil {
			t.Skipf("no sparse files here: %v", err)
		}
	}
	sparse(at + id("1") + "/config.v2.json")
	sparse("var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db")
	sparse("var/lib/containers/storage/overlay-containers/containers.json")
	put(t, root, at+id("2")+"/hostconfig.json", "")
	if err := unix.Mkfifo(filepath.Join(root, at+id("2")+"/config.v2.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	link(t, root, "/dev/zero", at+id("3")+"/config.v2.json")
	put(t, root, at+id("4")+"/config.v2.json", strings.Repeat("[", 1<<20))
	put(t, root, at+"not-an-id/config.v2.json", "{}")
	done := make(chan string, 1)
	go func() { done <- everything(t, open(t, root)) }()
	select {
	case said := <-done:
		for _, want := range []string{"containers.json says that it has 4398046511104 bytes", "meta.db says that it has", "config.v2.json says that it has", "no regular file", "no such file", "exceeded max depth"} {
			if !strings.Contains(said, want) {
				t.Errorf("nothing says %q: %s", want, said)
			}
		}
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}

func TestNoStore(t *testing.T) {
	root := t.TempDir()
	if _, err := offline.New(root); err == nil || !strings.Contains(err.Error(), root) {
		t.Errorf("an empty root: %v", err)
	}
	put(t, root, "file", "")
	for _, name := range []string{"file", "none"} {
		if _, err := offline.New(filepath.Join(root, name)); err == nil {
			t.Errorf("%s is a root", name)
		}
	}
}

// TestNothingIsTouched: not a byte, not a time of it.
func TestNothingIsTouched(t *testing.T) {
	bed := testbed.StartContainerd(t)
	bed.Run(t, "web", "echo x > /new; "+loop)
	root := image(t, bed, containerdConfig(bed))
	before := times(t, root)
	r := open(t, root)
	c := get(t, r, find(t, r, "web"))
	_ = everything(t, r)
	rec := taken(t, c, r)
	if len(rec.Members) == 0 {
		t.Error("nothing was collected")
	}
	after := times(t, root)
	for name, was := range before {
		if after[name] != was {
			t.Errorf("%s: %s, was %s", name, after[name], was)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d files, were %d", len(after), len(before))
	}
}

func times(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		all[path] = fmt.Sprint(st.Size, st.Mode, st.Mtim, st.Ctim)
		if !d.IsDir() { // this walk reads directories itself
			all[path] += fmt.Sprint(st.Atim)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// FuzzJSON gives hostile records to the readers of Docker and of
// containers/storage.
func FuzzJSON(f *testing.F) {
	f.Add(`{"ID":"x","State":{"Running":true,"Pid":1},"Config":{"Image":"i"},"MountPoints":{"/a":{"Source":"/b"}}}`, `{"Privileged":true,"CapAdd":["ALL"]}`,
		"l/A:l/B", `[{"id":"`+id("1")+`","layer":"`+id("2")+`","metadata":"{\"pod-id\":\"x\"}"}]`, `{"annotations":{"io.kubernetes.cri-o.ContainerType":"container"}}`, `{"status":"running"}`)
	f.Add("", "null", "", "[{}]", "[]", "0")
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, config, host, lower, list, spec, state string) {
		dir := "var/lib/docker/containers/" + id("1")
		put(t, root, dir+"/config.v2.json", config)
		put(t, root, dir+"/hostconfig.json", host)
		put(t, root, "var/lib/docker/image/overlay2/layerdb/mounts/"+id("1")+"/mount-id", "x")
		put(t, root, "var/lib/docker/overlay2/x/lower", lower)
		base := "var/lib/containers/storage/overlay-containers/"
		put(t, root, base+"containers.json", list)
		put(t, root, base+id("1")+"/userdata/config.json", spec)
		put(t, root, base+id("1")+"/userdata/state.json", state)
		r, err := offline.New(root)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_ = everything(t, r)
		all, _ := r.List(context.Background())
		for _, c := range all {
			if c.PID != 0 || c.Root != root || c.Runtime != "offline" {
				t.Errorf("%+v", c)
			}
			container.Risks(c)
		}
	})
}

// FuzzDatabase gives hostile databases to the reader of containerd's.
func FuzzDatabase(f *testing.F) {
	meta, layers := databases(f)
	f.Add(meta, layers)
	f.Add(layers, meta)
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, meta, layers []byte) {
		put(t, root, "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", string(meta))
		put(t, root, "var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/metadata.db", string(layers))
		r, err := offline.New(root)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		_ = everything(t, r)
	})
}

// databases are small ones with what containerd writes.
func databases(t testing.TB) (meta, layers []byte) {
	t.Helper()
	made, err := time.Unix(1, 0).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return boltFile(t, map[string]string{
			"v1/default/containers/web/createdat": string(made), "v1/default/containers/web/image": "i", "v1/default/containers/web/snapshotter": "overlayfs",
			"v1/default/containers/web/snapshotKey": "web", "v1/default/containers/web/runtime/name": "io.containerd.runc.v2",
			"v1/default/containers/web/labels/a": "b", "v1/default/containers/web/spec": "\x0a\x01x\x12\x02{}",
			"v1/default/images/i/target/digest": "sha256:" + id("a"), "v1/default/snapshots/overlayfs/web/name": "default/1/web",
		}), boltFile(t, map[string]string{
			"v1/snapshots/default/1/web/x": "", "v1/snapshots/a/id": "\x01", "v1/snapshots/a/kind": "\x02", "v1/snapshots/a/parent": "a",
		})
}
