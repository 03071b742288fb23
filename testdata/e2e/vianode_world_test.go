//go:build e2e

package e2e

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/pkg/namespaces"

	"amber/testdata/testbed"
)

// workstation is a machine with a kubeconfig and nothing else; what amber
// leaves on the node is below node.
type workstation struct {
	cluster
	image string // pinned
	node  string
	flags []string // that --via-node wants here
}

// newWorkstation gives its user the rights that amber prints, and no others.
func newWorkstation(t *testing.T) workstation {
	k := testbed.StartKubernetes(t)
	u := newUser(t, k.Containerd)
	w := workstation{cluster: cluster{k, u.with("CONTAINERD_ADDRESS", "", "AMBER_CONTAINERD_STATE", "", "KUBECONFIG", k.User(t, "responder"))}}
	w.node = fastDir(t)
	w.image = pinnedImage(t, k)
	w.env["AMBER_VIA_NODE_IMAGE"] = w.image
	w.flags = []string{"--via-node", "--via-node-dir", w.node}
	w.grant(t)
	return w
}

// pinnedImage imports an image with amber under its digest.
func pinnedImage(t *testing.T, k *testbed.Kubernetes) string {
	t.Helper()
	const name = "amber.test/amber"
	program, err := os.ReadFile(plainBin)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.ImportImage(name+":latest", func(tw *tar.Writer) error {
		if err := tw.WriteHeader(&tar.Header{Name: "amber", Mode: 0o755, Size: int64(len(program)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := tw.Write(program)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ctx := namespaces.WithNamespace(context.Background(), "k8s.io")
	service := k.Containerd.Client().ImageService()
	img, err := service.Get(ctx, name+":latest")
	if err != nil {
		t.Fatal(err)
	}
	ref := name + "@" + img.Target.Digest.String()
	if _, err := service.Create(ctx, images.Image{Name: ref, Target: img.Target}); err != nil {
		t.Fatal(err)
	}
	return ref
}

// grant applies what amber isolate rbac prints, and binds it.
func (w workstation) grant(t *testing.T) {
	t.Helper()
	w.Apply(t, w.run(t, "isolate", "rbac", "--via-node").want(t, 0).out)
	const account = "--serviceaccount=amber-test-users:responder"
	w.kubectl(t, "create", "clusterrolebinding", "amber-responder", "--clusterrole=amber-responder", account)
	w.kubectl(t, "-n", "kube-system", "create", "rolebinding", "amber-via-node", "--role=amber-via-node", account)
	w.Eventually(t, "the rights to be known", func(ctx context.Context) error {
		for _, args := range [][]string{{"list", "pods", "-A"}, {"create", "pods/exec", "-n", "kube-system"}} {
			args = append([]string{"auth", "can-i", "--as=system:serviceaccount:amber-test-users:responder"}, args...)
			if out, err := w.Kubectl(ctx, args...); err != nil {
				return fmt.Errorf("%s: %w", out, err)
			}
		}
		return nil
	})
}

// args is a command line that works by the node.
func (w workstation) args(verb []string, more ...string) []string {
	return slices.Concat(verb, w.flags, more)
}

// onNode are the flags of amber on the node of the testbed.
func (w workstation) onNode() []string {
	return []string{"--containerd-address", w.Containerd.Address, "--containerd-state", w.Containerd.State}
}

// noAgent fails the test where a pod of amber's is there.
func (w workstation) noAgent(t *testing.T) {
	t.Helper()
	if out, err := w.agents(); err != nil || out != "" {
		t.Errorf("pods of amber's are there: %s %v", out, err)
	}
}

func (w workstation) agents() (string, error) {
	out, err := w.Kubectl(context.Background(), "-n", "kube-system", "get", "pods", "-l", "app.kubernetes.io/component=via-node", "-o", "name")
	return strings.TrimSpace(out), err
}

func (w workstation) kubectl(t *testing.T, args ...string) {
	t.Helper()
	if _, err := w.Kubectl(context.Background(), args...); err != nil {
		t.Fatal(err)
	}
}

// do runs a verb by the node, on the testbed's containerd.
func (w workstation) do(t *testing.T, verb []string, more ...string) result {
	t.Helper()
	return w.run(t, slices.Concat(verb, w.flags, w.onNode(), more)...)
}

const idleYAML = `
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: default, labels: {app: idle}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: idle, image: %s, imagePullPolicy: Never, command: [sleep, "100000"]}
`

// idle is a pod that does nothing.
func (w workstation) idle(t *testing.T, name string) testbed.Pod {
	t.Helper()
	w.Apply(t, fmt.Sprintf(idleYAML, name, testbed.BusyboxImage))
	return w.WaitReady(t, "default", name)
}
