// Command holder cuts a container off, or releases what a case holds. Tests
// build it with the tag "fault" and kill it at each of its fault points.
//
//	holder apply|release CASE CONTAINER
//
// CONTAINER is JSON.
package main

import (
	"context"
	"encoding/json"

	"amber/container"
	"amber/isolate"
	"amber/isolate/cgroupnet"
	"amber/isolate/crashtest/holding"
)

func main() { holding.Main(run) }

func run(ctx context.Context, args []string) error {
	verb, caseDir, text := args[0], args[1], args[2]
	var c container.Container
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	m := cgroupnet.New(cgroupnet.Options{CaseID: caseDir})
	if verb == "release" {
		return holding.Release(ctx, caseDir, m)
	}
	return holding.Apply(ctx, caseDir, m, isolate.Target{Name: c.Ref(), Containers: []container.Container{c}})
}
