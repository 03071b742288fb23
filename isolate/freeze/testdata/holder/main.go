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

	"amber/container"
	"amber/container/containerd"
	"amber/isolate"
	"amber/isolate/crashtest/holding"
	"amber/isolate/freeze"
)

func main() { holding.Main(run) }

func run(ctx context.Context, args []string) error {
	verb, caseDir, socket, text := args[0], args[1], args[2], args[3]
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
		return holding.Release(ctx, caseDir, m)
	}
	return holding.Apply(ctx, caseDir, m, isolate.Target{Name: c.Ref(), Containers: []container.Container{c}})
}
