package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"amber/collect/memory"
	"amber/container"
)

func memoryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "memory", Value: string(memory.Some), Usage: "how much of the processes' memory to take, `none|some|all`: some is what is in no file"},
		&cli.BoolFlag{Name: "ptrace", Usage: "stop the threads by ptrace too, to have their registers"},
	}
}

// memoryMode reads --memory, which not every verb has.
func memoryMode(c *cli.Context) (memory.Mode, error) {
	s := c.String("memory")
	if s == "" {
		return memory.None, nil
	}
	mode, err := memory.ParseMode(s)
	if err != nil {
		return mode, usagef("--memory %q: want none, some or all", s)
	}
	return mode, nil
}

// memorySize is about how much of a target's memory will be kept, before
// compression.
func memorySize(c *cli.Context, t container.Container) int64 {
	mode, err := memoryMode(c)
	if err != nil {
		return 0
	}
	return memory.Estimate(t, mode)
}

// memoryText says what is taken of the memory, for the plan.
func memoryText(c *cli.Context, n int64) string {
	mode, err := memoryMode(c)
	switch {
	case err != nil || mode == memory.None:
		return "no memory (--memory none)"
	case mode == memory.All:
		return fmt.Sprintf("all memory, about %s", size(n))
	}
	return fmt.Sprintf("memory that is in no file, about %s", size(n))
}
