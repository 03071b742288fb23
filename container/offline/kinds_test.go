package offline_test

import (
	"context"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"

	"amber/container"
	"amber/container/containerd"
	"amber/testdata/testbed"
)

// TestNativeSnapshotter: a whole root, which is no layer of changes.
func TestNativeSnapshotter(t *testing.T) {
	bed := testbed.StartContainerd(t)
	ctx := namespaces.WithNamespace(context.Background(), bed.Namespace)
	bed.Image(t)
	img, err := bed.Client().GetImage(ctx, testbed.BusyboxImage)
	if err != nil {
		t.Fatal(err)
	}
	if err := img.Unpack(ctx, "native"); err != nil {
		t.Skipf("this containerd has no native snapshotter: %v", err)
	}
	_, err = bed.Client().NewContainer(ctx, "whole", client.WithImage(img), client.WithSnapshotter("native"), client.WithNewSnapshot("whole", img), client.WithNewSpec(oci.WithImageConfig(img)))
	if err != nil {
		t.Fatal(err)
	}
	live, err := containerd.New(ctx, bed.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	c := container.Container{Runtime: "containerd", Namespace: bed.Namespace, ID: "whole"}
	want := get(t, live, c)
	r := open(t, image(t, bed, containerdConfig(bed)))
	got := get(t, r, c)
	sameRoot(t, "whole", got.Rootfs, want.Rootfs)
	if got.Rootfs.Driver != "bind" || len(got.Rootfs.Lower) != 0 {
		t.Errorf("root %+v", got.Rootfs)
	}
}

// TestLazyLayers: the fixture has the places and the database of the stargz
// snapshotter, which cannot be had here; its package for both is containerd's.
func TestLazyLayers(t *testing.T) {
	root := t.TempDir()
	put(t, root, "var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db", string(boltFile(t, map[string]string{
		"v1/default/containers/web/snapshotter": "stargz", "v1/default/containers/web/snapshotKey": "web",
		"v1/default/snapshots/stargz/web/name": "default/3/web",
	})))
	const dir = "var/lib/containerd-stargz-grpc/snapshotter/"
	put(t, root, dir+"metadata.db", string(layersFile(t)))
	put(t, root, dir+"snapshots/3/fs/new", "x")
	put(t, root, dir+"snapshots/2/fs/bin/sh", "x")
	put(t, root, dir+"snapshots/1/fs/.keep", "")
	if err := removeAll(root, dir+"snapshots/1/fs/.keep"); err != nil {
		t.Fatal(err)
	}
	r := open(t, root)
	c := get(t, r, find(t, r, "web"))
	if c.Rootfs.Upper != "/"+dir+"snapshots/3/fs" || len(c.Rootfs.Lower) != 1 || c.Rootfs.Lower[0] != "/"+dir+"snapshots/2/fs" {
		t.Errorf("root %+v", c.Rootfs)
	}
	if !strings.Contains(strings.Join(c.Notes, "\n"), "layer 2 was pulled lazily by stargz") {
		t.Errorf("notes %q", c.Notes)
	}
	if changes := drift(t, taken(t, c, r)); !strings.Contains(changes["/new"], `"added"`) {
		t.Errorf("drift %v", changes)
	}
}

// TestCRIO: the fixture is what CRI-O writes, by its sources; CRI-O itself cannot
// be had here. TestCRIOStore has a real store below it.
func TestCRIO(t *testing.T) {
	root := t.TempDir()
	const base = "var/lib/containers/storage/"
	put(t, root, base+"overlay-containers/containers.json", `[
		{"id":"`+id("1")+`","names":["k8s_app_web-1_shop_uid-1_0"],"image":"`+id("a")+`","layer":"`+id("b")+`","created":"2026-11-22T02:00:00Z",
		 "metadata":"{\"pod-name\":\"k8s_web-1_shop_uid-1_0\",\"pod-id\":\"`+id("2")+`\",\"image-name\":\"registry.test/app:1\",\"name\":\"k8s_app_web-1_shop_uid-1_0\",\"metadata-name\":\"app\"}"},
		{"id":"`+id("2")+`","names":["k8s_POD_web-1_shop_uid-1_0"],"layer":"`+id("c")+`","metadata":"{\"pod-id\":\"`+id("2")+`\",\"metadata-name\":\"web-1\"}"}]`)
	put(t, root, base+"overlay-images/images.json", `[{"id":"`+id("a")+`","digest":"sha256:`+id("d")+`","names":["registry.test/app:1"]}]`)
	pod := `"io.kubernetes.pod.name":"web-1","io.kubernetes.pod.namespace":"shop","io.kubernetes.pod.uid":"uid-1"`
	put(t, root, base+"overlay-containers/"+id("1")+"/userdata/config.json", `{"ociVersion":"1.0.2","process":{"user":{"uid":0,"gid":0},"args":["app"],"cwd":"/"},
		"annotations":{`+pod+`,"io.kubernetes.container.name":"app","io.kubernetes.cri-o.ContainerType":"container",
		"io.kubernetes.cri-o.LogPath":"/var/log/pods/shop_web-1_uid-1/app/0.log","io.kubernetes.cri-o.Labels":"{\"app\":\"web\"}"}}`)
	put(t, root, base+"overlay-containers/"+id("1")+"/userdata/state.json", `{"ociVersion":"1.0.2","id":"`+id("1")+`","status":"stopped","pid":0,
		"created":"2026-11-22T02:00:00Z","started":"2026-11-22T02:00:01Z","finished":"2026-11-22T02:04:00Z","exitCode":137}`)
	put(t, root, base+"overlay-containers/"+id("2")+"/userdata/config.json", `{"ociVersion":"1.0.2","annotations":{`+pod+`,"io.kubernetes.container.name":"POD","io.kubernetes.cri-o.ContainerType":"sandbox"}}`)
	put(t, root, base+"overlay-containers/"+id("2")+"/userdata/state.json", `{"status":"running","pid":77}`)
	put(t, root, base+"overlay/"+id("b")+"/lower", "l/ABC")
	put(t, root, base+"overlay/"+id("b")+"/diff/loot", "x")
	put(t, root, base+"overlay/"+id("e")+"/diff/bin/sh", "x")
	link(t, root, "../"+id("e")+"/diff", base+"overlay/l/ABC")
	put(t, root, "var/log/pods/shop_web-1_uid-1/app/0.log", "line\n")
	r := open(t, root)
	c := get(t, r, find(t, r, "pod/shop/web-1/app"))
	if c.Keeper != "cri-o" || c.Name != "app" || c.State != container.Stopped || c.ExitCode == nil || *c.ExitCode != 137 || c.Labels["app"] != "web" {
		t.Errorf("got %+v", c)
	}
	if c.Image.Ref != "registry.test/app:1" || c.Image.Digest != "sha256:"+id("d") || len(c.Logs) != 1 || len(c.Rootfs.Lower) != 1 {
		t.Errorf("got %+v", c)
	}
	if changes := drift(t, taken(t, c, r)); !strings.Contains(changes["/loot"], `"added"`) || len(changes) != 1 {
		t.Errorf("drift %v", changes)
	}
	sandbox := find(t, r, id("2"))
	if sandbox.Pod == nil || !sandbox.Pod.Sandbox || sandbox.State != container.Running || sandbox.PID != 0 {
		t.Errorf("sandbox %+v", sandbox)
	}
}
