//go:build incident

package record

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"amber/testdata/testbed"
)

const amberBin = "/usr/local/bin/amber" // on the node

// responder is the kubeconfig of those who respond: not the cluster's admin.
var responder string

// authorise gives the responder the rights that amber asks for.
func authorise(t *testing.T, k *testbed.Kubernetes) {
	t.Helper()
	role, err := exec.Command(amberBin, "isolate", "rbac").Output()
	if err != nil {
		t.Fatal(err)
	}
	responder = k.User(t, "responder")
	k.Apply(t, string(role))
	const binding = "amber-responder"
	if _, err := k.Kubectl(t.Context(), "create", "clusterrolebinding", binding, "--clusterrole="+binding, "--serviceaccount=amber-test-users:responder"); err != nil {
		t.Fatal(err)
	}
}

// respond is what the responders do: freeze and take both pods, and give them
// back. It returns the case.
func respond(t *testing.T, k *testbed.Kubernetes, a *attack) string {
	t.Helper()
	const home, dirCase = "/home/responder", "/srv/cases/INC-1"
	for _, d := range []string{home, filepath.Dir(dirCase)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	amber := func(codes map[int]bool, args ...string) []byte {
		cmd := exec.Command(amberBin, args...)
		cmd.Dir = home
		cmd.Env = []string{
			"HOME=" + home, "AMBER_HOLDS=" + filepath.Join(home, "holds"), "AMBER_RUN=" + filepath.Join(home, "run"),
			"CONTAINERD_ADDRESS=" + k.Containerd.Address, "AMBER_CONTAINERD_STATE=" + k.Containerd.State, "DOCKER_HOST=unix:///run/docker.sock",
			"KUBECONFIG=" + responder, "AMBER_KEY_PASSPHRASE=made up for the test", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SUDO_USER=responder",
		}
		text, err := cmd.CombinedOutput()
		t.Logf("$ amber %q\n%s", args, text)
		if err != nil && !codes[cmd.ProcessState.ExitCode()] {
			t.Fatalf("amber: %v", err)
		}
		return text
	}
	misses := map[int]bool{3: true}
	amber(nil, "keys", "new")
	amber(nil, "case", "new", dirCase)
	a.diary.during("response", func() {
		for _, pod := range []string{"pod/shop/" + a.web.Name, "pod/kube-system/node-tuner"} {
			amber(misses, "respond", "--yes", "--case", dirCase, "--reason", "web pod opens connections to an unknown host", "--authority", "INC-1", "--no-cordon", pod)
		}
	})
	amber(misses, "isolate", "release", "--yes", "--all", "--case", dirCase)
	return dirCase
}

// compile builds a program of this module.
func compile(t *testing.T, to, program string) {
	t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", to, program)
	build.Dir = filepath.Join(testbed.Source(), "..", "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", program, err, text)
	}
}

// clientProgram is what the intruder brings along.
func clientProgram(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kc")
	compile(t, file, "./testdata/incidents/webpod/record/kc")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
