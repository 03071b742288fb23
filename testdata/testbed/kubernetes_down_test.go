package testbed

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
)

// nothingLeft checks that nothing names the cluster any more.
func nothingLeft(t *testing.T, k *Kubernetes) {
	t.Helper()
	if _, err := os.Stat(k.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left behind", k.Dir)
	}
	if k.Made != "" {
		if _, err := os.Stat(k.Made); err == nil && !othersAtWork() {
			t.Errorf("%s is left behind", k.Made)
		}
	}
	if left := mountsBelow(k.Dir); len(left) > 0 {
		t.Errorf("mounts are left behind: %v", left)
	}
	for name, d := range k.Daemons {
		if d.Process.alive() {
			t.Errorf("%s is left behind", name)
		}
	}
	if left := naming(k.Dir); len(left) > 0 {
		t.Errorf("processes are left behind: %v", left)
	}
	if k.Containerd != nil {
		for _, h := range hierarchies() {
			if _, err := os.Stat(filepath.Join(h, k.Containerd.Namespace)); err == nil {
				t.Errorf("cgroup %s/%s is left behind", h, k.Containerd.Namespace)
			}
		}
	}
	left, _ := filepath.Glob("/var/lib/cni/results/" + k.cniName() + "*")
	if _, err := netlink.LinkByName(k.Bridge); err == nil || len(left) > 0 {
		t.Errorf("the bridge or %v is left behind", left)
	}
	for _, pods := range []netip.Prefix{k.PodCIDR4, k.PodCIDR6} {
		rules, err := netlink.RuleList(family(pods.Addr()))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules {
			if r.Table == k.Table {
				t.Errorf("a rule is left behind: %v", r)
			}
		}
	}
}

// othersAtWork reports whether another cluster may need what ours made first.
func othersAtWork() bool {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*", "kubernetes.json"))
	return len(left) > 0
}

// naming lists the processes whose command line has a word in it anywhere.
func naming(word string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		if line, err := os.ReadFile(file); err == nil && bytes.Contains(line, []byte(word)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}

// TestKubernetesTwice: two clusters at once do not see each other, and one is
// taken down by another process than has made it, in the middle of its work.
func TestKubernetesTwice(t *testing.T) {
	a := StartKubernetes(t)
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatal(err)
	}
	b, err := UpKubernetes(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Down() })
	for _, k := range []*Kubernetes{a, b} {
		k.Apply(t, webYAML)
	}
	for _, k := range []*Kubernetes{a, b} {
		k.WaitRollout(t, "default", "web")
	}
	frozen := b.WaitReady(t, "default", "shell")
	if _, err := b.Containerd.CTR("--namespace=k8s.io", "task", "pause", frozen.Containers["shell"].ID); err != nil {
		t.Fatal(err)
	}
	opened, err := OpenKubernetes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := opened.Down(); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, b)
	if pods := a.WaitRollout(t, "default", "web"); len(pods) != 2 || pods[0].Containers["web"].Restarts > 0 {
		t.Errorf("the other cluster has %+v", pods)
	}
}

const childEnv = "AMBER_TESTBED_KUBERNETES_DIR"

// TestKubernetesChild is what TestKubernetesKilled kills.
func TestKubernetesChild(t *testing.T) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		t.Skip("it is run by TestKubernetesKilled alone")
	}
	if _, err := UpKubernetes(dir, func(k *Kubernetes) { k.Owner = process{os.Getpid(), startTime(os.Getpid())} }); err != nil {
		t.Fatal(err)
	}
	select {} // until it is killed
}

// TestKubernetesKilled: a test that is killed while its cluster comes up leaves
// nothing for long, for the next sweep finds it.
func TestKubernetesKilled(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("Kubernetes needs root")
	}
	daemon := func(name string) func(string) bool {
		return func(dir string) bool {
			k, err := readKubernetes(dir)
			return err == nil && k.Daemons[name].Argv != nil
		}
	}
	for name, reached := range map[string]func(dir string) bool{
		"record":     func(dir string) bool { _, err := readKubernetes(dir); return err == nil },
		"containerd": func(dir string) bool { _, err := os.Stat(filepath.Join(dir, "c.sock")); return err == nil },
		"etcd":       daemon("etcd"),
		"kubelet":    daemon("kubelet"),
	} {
		t.Run(name, func(t *testing.T) { killedAt(t, reached) })
	}
}

func killedAt(t *testing.T, reached func(dir string) bool) {
	dir, err := os.MkdirTemp("", tempPrefix)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestKubernetesChild$")
	child.Env = append(os.Environ(), childEnv+"="+dir)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if !waitFor(patience, func() bool { return reached(dir) }) {
		t.Error("it does not come so far")
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	k, err := readKubernetes(dir)
	if err != nil {
		t.Fatal(err)
	}
	sweep()
	// Another test's sweep may be at it, too.
	if !waitFor(patience, func() bool { _, err := os.Stat(dir); return os.IsNotExist(err) }) {
		t.Errorf("%s is not swept", dir)
	}
	nothingLeft(t, k)
}
