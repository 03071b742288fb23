package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/clock"
	"amber/evidence/custody"
)

func ntpFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "ntp", Usage: "measure this host's clock against an NTP server too, `HOST[:PORT]`; it is never set"}
}

// measureClock begins to measure the clock, beside the collection; what it
// gives waits for that, a few seconds at the most.
func measureClock(c *cli.Context) func() []custody.Offset {
	measured := make(chan []custody.Offset, 1)
	go func() { measured <- clock.Measure(context.WithoutCancel(c.Context), c.StringSlice("ntp")) }()
	return sync.OnceValue(func() []custody.Offset { return <-measured })
}

// printClock tells what the measurements are.
func printClock(w io.Writer, list []custody.Offset) {
	for _, o := range list {
		text := o.Error
		if text == "" {
			text = fmt.Sprintf("%+.6f s to the right time, ± %.6f s", time.Duration(o.OffsetNS).Seconds(), time.Duration(o.UncertaintyNS).Seconds())
		}
		fmt.Fprintf(w, "  clock       by %s: %s\n", safeLines(o.By), safeLines(text))
	}
}
