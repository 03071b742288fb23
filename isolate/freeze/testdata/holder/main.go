// Command holder freezes a container, or releases what a case holds. Tests
// build it with the tag "fault" and kill it at each of its fault points.
//
//	holder apply|release CASE SOCKET CONTAINER
//
// SOCKET is containerd's, or "" to freeze by the cgroup; CONTAINER is JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"amber/container"
	"amber/container/containerd"
	"amber/isolate"
	"amber/isolate/freeze"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb, caseDir, socket, text string) error {
	var c container.Container
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	var f container.Freezer
	if socket != "" {
		r, err := containerd.New(ctx, socket)
		if err != nil {
			return err
		}
		defer r.Close()
		f = r
	}
	m := freeze.New(func(container.Container) container.Freezer { return f }, freeze.Options{})
	if verb == "release" {
		return release(ctx, caseDir, m)
	}
	p, err := m.Plan(ctx, isolate.Target{Name: c.Ref(), Containers: []container.Container{c}})
	if err != nil {
		return err
	}
	_, err = isolate.Apply(ctx, caseDir, m, p)
	return err
}

func release(ctx context.Context, caseDir string, m *freeze.Method) error {
	entries, err := isolate.Load(caseDir)
	if err != nil {
		return err
	}
	_, err = isolate.Release(ctx, entries, func(string) (isolate.Method, error) { return m, nil })
	return err
}
