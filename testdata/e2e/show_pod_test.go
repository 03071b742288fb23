//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"amber/evidence/record"
	"amber/testdata/testbed"
)

const podToShow = `apiVersion: v1
kind: Pod
metadata: {name: show, namespace: default}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: ` + testbed.BusyboxImage + `
    imagePullPolicy: Never
    env: [{name: TOKEN, value: hunter2}]
    command: [sh, -c, 's=$(printf "amber-%s-%s" canary 0b1e); exec 7>/tmp/held; n=0; while :; do n=$((n+1)); echo $n >/.next; mv /.next /count; : "$s"; usleep 20000; done']
`

// A pod's checkpoint, the kubelet's archive, is read without restoring it, and goes
// on in the sandbox.
func TestShowPod(t *testing.T) {
	k := testbed.StartKubernetes(t)
	u := newHastyUser(t, k.Containerd)
	u = u.with("KUBECONFIG", k.Kubeconfig, "PATH", filepath.Join(testbed.CacheDir(), "criu-4.1.1", "bin")+":"+k.Containerd.Bin+":"+u.env["PATH"])
	k.Apply(t, podToShow)
	k.WaitReady(t, "default", "show")
	dir := filepath.Join(u.home, "case")
	u.run(t, "respond", "--yes", "--checkpoint", "--method", "freeze", "--case", dir, "pod/default/show/app").want(t, 0, 3)
	id := holding(t, dir)
	from := []string{"--from", "checkpoint", "--case", dir, id}
	evidence := func(verb string, more ...string) result {
		return u.run(t, append(append([]string{"evidence", verb}, from...), more...)...)
	}
	var all []shown
	u.run(t, append([]string{"evidence", "ps", "--output", "json"}, from...)...).want(t, 0).json(t, &all)
	if len(all) == 0 || all[0].PID != 1 || len(all[0].Args) != 3 || all[0].Args[0] != "sh" {
		t.Fatalf("%+v", all)
	}
	evidence("env", "1").want(t, 0).says(t, "TOKEN=hunter2")
	evidence("files", "1").want(t, 0).says(t, "/tmp/held")
	evidence("strings", "1").want(t, 0).says(t, showSecret)
	found := u.hits(t, append(slices.Clone(from), showSecret)...)
	if !slices.ContainsFunc(found, func(h aHit) bool { return h.PID == 1 && h.Address != "" }) {
		t.Errorf("%+v", found)
	}
	var sockets []record.NetSocket
	u.run(t, append([]string{"evidence", "sockets", "--output", "json"}, from...)...).want(t, 0).json(t, &sockets)
	if len(sockets) != 0 {
		t.Errorf("sockets of a shell: %+v", sockets)
	}
	res := u.run(t, "sandbox", "--i-know-it-runs-hostile-code", "--restore", "--work", filepath.Join(u.home, "work"), "--case", dir,
		"--content", filepath.Join(k.Containerd.Root, "io.containerd.content.v1.content"), id, "--", "/bin/sh", "-c", "cat /count; sleep 2; cat /count; ls -A /var/run/secrets/kubernetes.io/serviceaccount; echo; cat /etc/hosts")
	if res.code != 0 && res.code != 3 {
		logs, _ := filepath.Glob(filepath.Join(dir, "sandbox", "*", "restore.log"))
		log, _ := os.ReadFile(slices.Max(append(logs, "")))
		t.Fatalf("%s%s\n%s", res.out, res.err, log[max(0, len(log)-3000):])
	}
	words := strings.Fields(res.out)
	if len(words) != 2 || atoi(t, words[1]) <= atoi(t, words[0]) {
		t.Errorf("it does not go on, or has what was mounted into the pod:\n%s%s", res.out, res.err)
	}
	u.run(t, "isolate", "release", "--all", "--yes", "--case", dir).want(t, 0)
}

// holding is the bundle of a case that has the runtime's archive of a checkpoint.
func holding(t testing.TB, dir string) string {
	t.Helper()
	for _, id := range bundles(t, dir) {
		if strings.Contains(id, "-app-") {
			return id
		}
	}
	t.Fatalf("no bundle of the container: %q", bundles(t, dir))
	return ""
}
