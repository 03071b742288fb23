package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"amber/evidence/casedir"
	"amber/testdata/incidents"
	"amber/timeline/build"
	"amber/timeline/detect/findings"
	"amber/timeline/source/all"
)

// demoCase unpacks the incident that comes with amber and builds its timeline.
func demoCase(ctx context.Context) (string, func(), error) {
	dir, err := os.MkdirTemp("", "amber-demo-")
	if err != nil {
		return "", nil, err
	}
	away := func() { _ = os.RemoveAll(dir) } // it is a copy
	if err := buildDemo(ctx, dir+"/case"); err != nil {
		away()
		return "", nil, fmt.Errorf("making the demonstration: %w", err)
	}
	return dir + "/case", away, nil
}

func buildDemo(ctx context.Context, dir string) error {
	paths, err := incidents.Unpack(dir)
	if err != nil {
		return err
	}
	cs, err := casedir.Open(dir)
	if err != nil {
		return err
	}
	cs.Tool = tool()
	set, err := pack()
	if err != nil {
		return errors.Join(err, cs.Close())
	}
	_, err = build.Build(ctx, build.Options{
		Case: cs, Paths: paths, Sources: all.Sources(), Watch: findings.NewDetector(build.Dir(cs), set),
	})
	return errors.Join(err, cs.Close())
}
