// Up brings up a private containerd with a misbehaving container in it, for
// the demo and the benchmarks, or a Kubernetes of one node, and takes it down
// again.
//
//	up [--containerd2] DIR     prints shell variables that say how to reach it
//	up --kubernetes DIR        the same of a cluster: eval "$(up --kubernetes DIR)"
//	up down DIR
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"amber/testdata/testbed"
)

const container = "misbehaving"

func main() {
	version2 := flag.Bool("containerd2", false, "containerd 2.1.9 instead of 1.6.20")
	kubernetes := flag.Bool("kubernetes", false, "a Kubernetes 1.36 of one node, on containerd 2.1.9")
	flag.Parse()
	var err error
	switch args := flag.Args(); {
	case len(args) == 2 && args[0] == "down":
		err = down(args[1])
	case len(args) == 1 && *kubernetes:
		err = upKubernetes(args[0])
	case len(args) == 1:
		err = up(args[0], *version2)
	default:
		fmt.Fprintln(os.Stderr, "usage: up [--containerd2 | --kubernetes] DIR | up down DIR")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "up:", err)
		os.Exit(1)
	}
}

func up(dir string, version2 bool) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := testbed.Open(dir); err == nil {
		return fmt.Errorf("%s holds a testbed already; take it down first", dir)
	}
	var opts []testbed.Option
	if version2 {
		opts = append(opts, testbed.Version2())
	}
	c, err := testbed.Up(dir, opts...)
	if err != nil {
		return err
	}
	if _, err := c.Misbehave(container); err != nil {
		return fmt.Errorf("%w (and taking it down: %v)", err, c.Down())
	}
	export([][2]string{
		{"CONTAINERD_ADDRESS", c.Address},
		{"CONTAINERD_NAMESPACE", c.Namespace},
		{"AMBER_DEMO_CONTAINER", container},
		{"AMBER_DEMO_TARGET", "containerd://" + c.Namespace + "/" + container},
		{"AMBER_DEMO_STATE", c.State},
		{"AMBER_DEMO_RUNC_ROOT", c.RuncRoot},
	}, c.Bin)
	return nil
}

func upKubernetes(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(dir, "kubernetes.json")); err == nil {
		return fmt.Errorf("%s holds a cluster already; take it down first", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	k, err := testbed.UpKubernetes(dir)
	if err != nil {
		return err
	}
	export([][2]string{
		{"KUBECONFIG", k.Kubeconfig},
		{"CONTAINERD_ADDRESS", k.Containerd.Address},
		{"CONTAINERD_NAMESPACE", "k8s.io"},
		{"CONTAINER_RUNTIME_ENDPOINT", "unix://" + k.Containerd.Address},
		{"AMBER_TESTBED_NODE", k.NodeName},
		{"AMBER_TESTBED_AUDIT_LOG", k.AuditLog},
		{"AMBER_TESTBED_GATEWAY", k.Gateway4.String()},
		{"AMBER_TESTBED_IMAGE", testbed.BusyboxImage},
	}, testbed.KubernetesBin(), k.Containerd.Bin)
	return nil
}

// export prints what a shell is to evaluate.
func export(variables [][2]string, path ...string) {
	for _, v := range variables {
		fmt.Printf("export %s=%s\n", v[0], quote(v[1]))
	}
	fmt.Printf("export PATH=%s:\"$PATH\"\n", quote(strings.Join(path, ":")))
}

func down(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if k, err := testbed.OpenKubernetes(dir); !os.IsNotExist(err) {
		if err != nil {
			return err
		}
		return k.Down()
	}
	c, err := testbed.Open(dir)
	if os.IsNotExist(err) {
		return nil // nothing there is what was wanted
	}
	if err != nil {
		return err
	}
	return c.Down()
}

// quote makes one word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
