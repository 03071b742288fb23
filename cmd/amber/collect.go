package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"
)

func collectCommand() *cli.Command {
	return &cli.Command{
		Name:      "collect",
		Usage:     "take the evidence alone, and change nothing else",
		ArgsUsage: "TARGET",
		Description: "What runs goes on running, so what is read may not belong together; amber respond\n" +
			"freezes first. A target that is frozen already is collected as it stands. With\n" +
			"--recent all containers that have ended and that their runtime still has are\n" +
			"collected, in one case.",
		Flags: join([]cli.Flag{
			caseFlag(), outputFlag(), planFlag(), reasonFlag(), authorityFlag(),
			rootFlag(), recentFlag(),
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "has no effect: collecting does not ask"},
		}, collectFlags(), runtimeFlags(), viaFlags()),
		Action:       action(0, 1, "TARGET, or --recent 1h|all", collectAlone),
		BashComplete: completeTargets,
	}
}

func collectAlone(c *cli.Context, asJSON bool) error {
	if c.IsSet("recent") {
		return collectRecent(c, asJSON)
	}
	if c.Bool("via-node") {
		return viaVerb(c, asJSON)
	}
	if c.NArg() == 0 {
		return usagef("want %s TARGET, or --recent 1h|all", c.Command.HelpName)
	}
	nothing := func(*response) error { return nil }
	r, err := begin(c, asJSON, nothing, nothing)
	if err != nil || c.Bool("plan") {
		return err
	}
	defer r.close()
	if err := r.openCase(); err != nil {
		return err
	}
	r.introduce(func() {})
	r.cut.Do(func() {}) // there is nothing to cut off
	a := r.acquirer()
	for _, t := range r.named {
		r.result.Left = stateText(t)
		b, err := a.bundle(t)
		var usage usageError
		if errors.As(err, &usage) {
			return err
		}
		if err != nil {
			b.Error = err.Error()
			r.warn(fmt.Sprintf("collecting %s: %v", t.Ref(), err))
		}
		r.result.Bundles = append(r.result.Bundles, b)
	}
	r.settle()
	r.stamp()
	return r.finish()
}
