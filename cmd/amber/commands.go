package main

import (
	"github.com/urfave/cli/v2"

	"amber/collect/checkpoint/sandbox"
	"amber/isolate/probes"
)

// verb is a command by its name.
type verb struct {
	name string
	make func() *cli.Command
}

// verbs are amber's, in the order of the help.
func verbs() []verb {
	return []verb{
		{"ps", psCommand},
		{"respond", respondCommand},
		{"isolate", isolateCommand},
		{"collect", collectCommand},
		{"evidence", evidenceCommand},
		{"timeline", timelineCommand},
		{"detect", detectCommand},
		{"tui", tuiCommand},
		{"report", reportCommand},
		{"case", caseCommand},
		{"sandbox", sandboxCommand},
		{"keys", keysCommand},
		{"completion", completionCommand},
		{"man", manCommand},
		{probes.Verb, answerProbesCommand},
		{sandbox.Verb, insideSandboxCommand},
		{"on-node", onNodeCommand},
	}
}

// commands makes the command that the line begins with, and all of them where
// it begins with none: for one verb the others' some hundred flags are not
// made, which costs as much as asking the runtime where the target is.
func commands(args []string) []*cli.Command {
	var all []*cli.Command
	for _, v := range verbs() {
		if len(args) > 1 && args[1] == v.name {
			return []*cli.Command{v.make()}
		}
	}
	for _, v := range verbs() {
		all = append(all, v.make())
	}
	return all
}

// wholeApp has all commands, for what tells of all.
func wholeApp() *cli.App {
	app := newApp(nil)
	app.Setup()
	return app
}
