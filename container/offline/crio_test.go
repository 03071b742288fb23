package offline_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"amber/container"
	"amber/testdata/testbed"
)

// TestCRIOStore reads a container of CRI-O's in a real store: Podman has made it,
// by the same library (containers/storage), with real layers, images and OCI spec.
// What CRI-O itself writes besides, as its sources have it, is put there by the
// test: the metadata of the store's record, the annotations, and state.json.
func TestCRIOStore(t *testing.T) {
	bed := testbed.StartPodman(t)
	ctr := bed.Run(t, "app", "echo changed > /etc/passwd; rm /bin/cat; echo started; exec sleep 1000")
	waitFor(t, "app has made its change", func() bool {
		out, err := bed.Podman("logs", "app")
		return err == nil && strings.Contains(out, "started")
	})
	root := t.TempDir()
	at := filepath.Join(root, filepath.Dir(bed.Dir))
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-ax", bed.Dir, at).CombinedOutput(); err != nil {
		t.Logf("cp: %v: %s", err, out)
	}
	store := filepath.Join(root, bed.Graph)
	if err := os.Remove(filepath.Join(store, "libpod/bolt_state.db")); err != nil {
		t.Fatal(err)
	}
	const pod = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	rewritten(t, filepath.Join(store, "overlay-containers/containers.json"), func(all *[]map[string]any) {
		for _, c := range *all {
			if c["id"] == ctr {
				c["names"] = []string{"k8s_app_web-1_shop_uid-1_0"}
				c["metadata"] = `{"pod-name":"k8s_web-1_shop_uid-1_0","pod-id":"` + pod + `","image-name":"` + testbed.BusyboxImage + `","name":"k8s_app_web-1_shop_uid-1_0","metadata-name":"app"}`
			}
		}
	})
	userdata := filepath.Join(store, "overlay-containers", ctr, "userdata")
	rewritten(t, filepath.Join(userdata, "config.json"), func(spec *map[string]any) {
		(*spec)["annotations"] = map[string]string{
			"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.pod.uid": "uid-1", "io.kubernetes.container.name": "app",
			"io.kubernetes.cri-o.ContainerType": "container", "io.kubernetes.cri-o.Labels": `{"app":"web"}`,
		}
	})
	put(t, root, filepath.Join(bed.Graph, "overlay-containers", ctr, "userdata/state.json"), `{"ociVersion":"1.0.2","id":"`+ctr+`","status":"stopped","exitCode":137,"finished":"2026-11-22T02:04:00Z"}`)
	put(t, root, "etc/containers/storage.conf", "[storage]\ndriver = \"overlay\"\ngraphroot = \""+bed.Graph+"\"\n")
	r := open(t, root)
	c := get(t, r, find(t, r, "pod/shop/web-1/app"))
	if c.Keeper != "cri-o" || c.ID != ctr || c.State != container.Stopped || c.ExitCode == nil || *c.ExitCode != 137 || c.Labels["app"] != "web" || c.Image.Digest == "" || len(c.Rootfs.Lower) != 1 {
		t.Errorf("got %+v", c)
	}
	changes := drift(t, taken(t, c, r))
	if !strings.Contains(changes["/etc/passwd"], `"changed"`) || !strings.Contains(changes["/bin/cat"], `"deleted"`) {
		t.Errorf("drift %v", changes)
	}
}

// rewritten changes a file of JSON.
func rewritten[T any](t *testing.T, file string, change func(*T)) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	change(&v)
	if data, err = json.Marshal(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
