package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"amber/evidence/custody"
	"amber/evidence/durable"
	"amber/timeline/detect"
	"amber/timeline/detect/findings"
	"amber/timeline/store"
	"amber/timeline/story"
)

// storyFormats are what --as takes.
var storyFormats = map[string]func(io.Writer, *story.Story) error{
	"text": story.Text, "markdown": story.Markdown, "html": story.HTML,
}

func storyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Usage: "start from this `ENTITY` (pod:shop/web-0, user.name:mallory, mallory) or finding, and not from what is worst"},
		&cli.StringFlag{Name: "suppress", Usage: "a `FILE` that says which findings are known, and why"},
		&cli.StringFlag{Name: "as", Value: "text", Usage: "text, markdown or html"},
		&cli.StringFlag{Name: "to", Usage: "a file; standard output otherwise"},
	}
}

// timelineStory tells one intrusion.
func timelineStory(c *cli.Context, asJSON bool) error {
	format := storyFormats[c.String("as")]
	if format == nil {
		return usagef("--as %q: want text, markdown or html", c.String("as"))
	}
	if asJSON {
		format = func(w io.Writer, st *story.Story) error { return emit(w, st) }
	}
	s, err := openTimeline(c)
	if err != nil {
		return err
	}
	defer s.Close()
	st, err := tell(c, s)
	if err != nil {
		return err
	}
	if err := writeStory(c, st, format); err != nil {
		return err
	}
	return logLook(c, custody.Entry{Action: "timeline-story", Result: fmt.Sprintf("from %q as %s", c.String("from"), c.String("as"))})
}

func tell(c *cli.Context, s *store.Store) (*story.Story, error) {
	known, err := suppressions(c.String("suppress"))
	if err != nil {
		return nil, err
	}
	dir, err := findCase(c)
	if err != nil {
		return nil, err
	}
	f, err := openFindings(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	g, err := linked(c, s)
	if err != nil {
		return nil, err
	}
	st, err := story.Tell(c.Context, s, g, story.Options{From: c.String("from"), Findings: findingsFor(c.String("from"), f, known)})
	var unknown *story.ErrUnknown
	if errors.As(err, &unknown) {
		text := unknown.Error()
		if len(unknown.Could) > 0 {
			text += ": " + strings.Join(unknown.Could, ", ")
		}
		return nil, usagef("--from: %s", text)
	}
	return st, err
}

// findingsFor are the findings that a story is made of. Those of the lowest
// level are for who asks for them.
func findingsFor(from string, f *findings.Findings, known *findings.Suppressions) func(context.Context, func(*detect.Finding) error) error {
	if len(f.Sets) == 0 {
		return nil
	}
	want := findings.Filter{Level: detect.Low}
	if from != "" {
		want.Level = detect.Informational
	}
	return func(ctx context.Context, each func(*detect.Finding) error) error {
		return f.Each(ctx, want, func(x *detect.Finding) error {
			known.Apply(x)
			return each(x)
		})
	}
}

func writeStory(c *cli.Context, st *story.Story, format func(io.Writer, *story.Story) error) (err error) {
	to := c.String("to")
	if to == "" {
		return format(os.Stdout, st)
	}
	f, err := durable.Create(to)
	if err != nil {
		return err
	}
	return errors.Join(format(f, st), f.Sync(), f.Close())
}
