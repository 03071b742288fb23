// Command holder cuts a container off, or releases what a case holds. Tests
// build it with the tag "fault" and kill it at each of its fault points.
//
//	holder apply|release|kill CASE CONTAINER
//
// CONTAINER is JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"amber/container"
	"amber/isolate"
	"amber/isolate/nft"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb, caseDir, text string) error {
	var c container.Container
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	m := nft.New(nft.Options{CaseID: "crash"})
	switch verb {
	case "release":
		return release(ctx, caseDir, m)
	case "kill":
		_, err := nft.KillConnections(ctx, c.PID, 0)
		return err
	}
	p, err := m.Plan(ctx, isolate.Target{Name: c.Ref(), Containers: []container.Container{c}})
	if err != nil {
		return err
	}
	_, err = isolate.Apply(ctx, caseDir, m, p)
	return err
}

func release(ctx context.Context, caseDir string, m *nft.Method) error {
	entries, err := isolate.Load(caseDir)
	if err != nil {
		return err
	}
	_, err = isolate.Release(ctx, entries, func(string) (isolate.Method, error) { return m, nil })
	return err
}
