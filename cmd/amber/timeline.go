package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/source/all"
	"amber/timeline/source/mapped"
	"amber/timeline/source/vpcflow"
)

func timelineCommand() *cli.Command {
	sub := func(name, usage, args string, most int, flags []cli.Flag, do func(*cli.Context, bool) error) *cli.Command {
		return &cli.Command{
			Name: name, Usage: usage, ArgsUsage: args,
			Flags: join([]cli.Flag{caseFlag(), outputFlag(), logDirFlag()}, flags), Action: action(0, most, args, do),
		}
	}
	limit := func(value int, what string) cli.Flag {
		return &cli.IntFlag{Name: "limit", Aliases: []string{"n"}, Value: value, Usage: what}
	}
	where := &cli.StringFlag{Name: "where", Aliases: []string{"q"}, Usage: "of the rows that match this query alone"}
	return &cli.Command{
		Name: "timeline", Usage: "logs and bundles as one order of events: build it, ask it, prove its rows",
		Subcommands: []*cli.Command{
			sub("build", "read logs, and the case's own bundles, into the timeline", "[PATH...]", -1, []cli.Flag{
				&cli.BoolFlag{Name: "reference", Usage: "keep the digest and path of each file, not the file"},
				&cli.StringFlag{Name: "as", Usage: "read all files as this source: " + strings.Join(sourceNames(), ", ")},
				&cli.StringFlag{Name: "map", Usage: "a FILE that says how other JSON lines or CSV are read: see docs/event-schema.md"},
				&cli.BoolFlag{Name: "follow", Usage: "go on reading while they are written, until interrupted"},
				&cli.BoolFlag{Name: "pack", Value: true, Usage: "evaluate amber's own rules (--pack=false: later, by amber detect)"},
				identityFlag(),
				&cli.StringSliceFlag{Name: "skew", Usage: "SOURCE=DURATION: what to add to its clock's times"},
			}, timelineBuild),
			fetchCommand(),
			sub("query", "the rows that match", "[QUERY]", 1, []cli.Flag{
				limit(0, "at most so many rows (0: all)"),
				&cli.BoolFlag{Name: "reverse", Usage: "the latest first"},
				&cli.StringFlag{Name: "fields", Usage: "these columns, by commas"},
			}, timelineQuery),
			sub("facets", "the commonest values of a field", "FIELD", 1, []cli.Flag{limit(20, "so many values"), where}, timelineFacets),
			sub("histogram", "how many rows when", "", 0, []cli.Flag{where, &cli.DurationFlag{Name: "bucket", Value: time.Minute, Usage: "the width of a bar"}}, timelineHistogram),
			sub("story", "one intrusion told in order, each sentence with its rows", "", 0, storyFlags(), timelineStory),
			sub("entities", "the pods, users, tokens, sessions, … that it tells of, whose name holds TEXT", "[TEXT]", 1, nil, timelineEntities),
			sub("links", "how entities are joined, by which rows, and how sure that is", "[TEXT]", 1, nil, timelineLinks),
			sub("compact", "many small segments, as following a log leaves them, into few; damaged indexes anew", "", 0, nil, timelineCompact),
			sub("raw", "the records that prove a row, hashed again", "ROW", 1, []cli.Flag{identityFlag()}, timelineRaw),
			sub("export", "rows for other tools: "+strings.Join(exportFormats(), ", "), "[QUERY]", 1, []cli.Flag{
				&cli.StringFlag{Name: "format", Value: "jsonl", Usage: strings.Join(exportFormats(), ", ")},
				&cli.StringFlag{Name: "to", Usage: "a file; standard output otherwise"},
			}, timelineExport),
		},
	}
}

// buildMemory is what building a timeline may use: it does not run beside a
// frozen target on a node, and is to stay below 512 MiB.
const buildMemory = 400 << 20

func sourceNames() (names []string) {
	for _, s := range all.Sources() {
		names = append(names, s.Name())
	}
	return names
}

// timelineBuild adds to the case's timeline, and makes it where there is none.
// Without paths it reads what the case itself holds.
func timelineBuild(c *cli.Context, asJSON bool) error {
	skew, err := skews(c)
	if err != nil {
		return err
	}
	pack := sync.OnceValues(pack)
	if c.Bool("pack") {
		go pack() // beside the digest of amber itself, which takes as long
	}
	cs, err := caseForTimeline(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	paths := c.Args().Slice()
	if len(paths) == 0 {
		paths = ownEvidence(cs)
	}
	if len(paths) == 0 {
		return usagef("the case holds no bundle and nothing fetched yet: name files or directories of logs")
	}
	sources, as, err := sourcesFor(c)
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(buildMemory)
	debug.SetGCPercent(100)
	p := buildProgress{shown: isTerminal(os.Stderr)}
	o := build.Options{
		Case: cs, Paths: paths, Stdin: os.Stdin, Sources: sources,
		As: as, Reference: c.Bool("reference"), Skew: skew, Progress: p.show,
	}
	if o.Keys, err = keyring(c); err != nil {
		return err
	}
	if o.Watch, err = packDetector(c, build.Dir(cs), pack); err != nil {
		return err
	}
	logBegun(cs, actionBuild)
	if c.Bool("follow") {
		return follow(c, o, asJSON)
	}
	report, err := build.Build(c.Context, o)
	p.end()
	if err != nil {
		return err
	}
	return told(cs, report, paths, asJSON)
}

// follow builds again whenever something was written, until it is interrupted.
func follow(c *cli.Context, o build.Options, asJSON bool) error {
	o.Progress = nil
	err := build.Follow(c.Context, o, func(r build.Report) {
		if asJSON {
			_ = json.NewEncoder(os.Stdout).Encode(r)
			return
		}
		fmt.Println(r.Line())
	})
	if _, lerr := logChange(o.Case, custody.Entry{Action: actionBuild, Result: "followed", Alterations: []string{"read " + strings.Join(o.Paths, ", ")}}); lerr != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(lerr.Error()))
	}
	if c.Context.Err() != nil {
		return nil
	}
	return err
}

// sourcesFor are all sources and, with --map, the one that it describes, which
// then reads all files unless --as says otherwise.
func sourcesFor(c *cli.Context) (list []timeline.Source, as string, err error) {
	list, as = all.Sources(), c.String("as")
	path := c.String("map")
	if path == "" {
		return list, as, nil
	}
	text, err := readSmall(path)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	m, err := described(text)
	if err != nil {
		return nil, "", usagef("--map %s: %w", path, err)
	}
	return append(list, m), cmp.Or(as, m.Name()), nil
}

// described is the source that a map describes, or the format of flow logs as
// AWS writes it.
func described(text []byte) (timeline.Source, error) {
	if flows, ok := vpcflow.Format(text); ok {
		return flows, nil
	}
	return mapped.Parse(text)
}

// told prints and logs what a build did.
func told(cs *casedir.Case, report build.Report, paths []string, asJSON bool) (err error) {
	entry := custody.Entry{Action: actionBuild, Result: report.Line(), Alterations: []string{"read " + strings.Join(paths, ", ")}}
	if _, err := logChange(cs, entry); err != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
	}
	if asJSON {
		err = emit(os.Stdout, report)
	} else {
		printReport(os.Stdout, report)
	}
	if err == nil && report.Total.Rejected > 0 {
		return outcome{exitMisses, fmt.Sprintf("%d records were rejected; the report has their reasons", report.Total.Rejected)}
	}
	return err
}

// caseForTimeline opens the case that is meant for writing, or makes it.
func caseForTimeline(c *cli.Context) (*casedir.Case, error) {
	dir, err := casedir.Find(c.String("case"))
	if err != nil {
		dir = c.String("case")
	}
	cs, created, err := casedir.OpenOrCreate(dir, "", nil)
	if err == nil && created {
		fmt.Fprintln(os.Stderr, "amber: a new case in "+safeLines(cs.Dir()))
	}
	return cs, err
}

// ownEvidence are the case's bundles, what was fetched, and its custody log.
func ownEvidence(cs *casedir.Case) (paths []string) {
	ids, _ := bundleIDs(cs)
	for _, id := range ids {
		if dir, err := cs.EvidenceDir(id); err == nil {
			paths = append(paths, dir)
		}
	}
	paths = append(paths, fetched(cs)...)
	log := filepath.Join(cs.Dir(), "custody.jsonl")
	if _, err := os.Stat(log); err == nil && len(paths) > 0 {
		paths = append(paths, log)
	}
	return paths
}

// skews reads --skew.
func skews(c *cli.Context) (map[string]time.Duration, error) {
	m := map[string]time.Duration{}
	for _, s := range c.StringSlice("skew") {
		source, text, ok := strings.Cut(s, "=")
		d, err := time.ParseDuration(text)
		if !ok || err != nil {
			return nil, usagef("--skew %q: want SOURCE=DURATION such as cloudtrail=-1.5s", s)
		}
		m[source] = d
	}
	return m, nil
}

// buildProgress shows on a terminal how far a build is.
type buildProgress struct {
	shown bool
	last  time.Time
}

func (p *buildProgress) show(now build.Progress) {
	if !p.shown || time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(os.Stderr, "\r\x1b[K%d files, %s, %d records: %s", now.Files, size(now.Bytes), now.Records, shorten(safeLines(filepath.Base(now.Path)), 40))
}

func (p *buildProgress) end() {
	if p.shown && !p.last.IsZero() {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func printReport(w io.Writer, r build.Report) {
	rows := [][]string{}
	number := func(n int64) string { return fmt.Sprint(n) }
	add := func(name string, files int64, k build.Counts) {
		rows = append(rows, []string{name, number(files), number(k.Read), number(k.Kept), number(k.Joined), number(k.Folded), number(k.Skipped), number(k.Rejected), number(k.Rows)})
	}
	for _, s := range r.Sources {
		name := s.Source
		if name == "" {
			name = "(not recognised)"
		}
		add(name, s.Files, s.Counts)
	}
	add("in all", r.Files.Read, r.Total)
	_ = table(w, []string{"SOURCE", "FILES", "RECORDS", "KEPT", "JOINED", "FOLDED", "SKIPPED", "REJECTED", "ROWS"}, rows)
	if r.Files.Known > 0 {
		fmt.Fprintf(w, "%s known already\n", countText(int(r.Files.Known), "file"))
	}
	for _, s := range r.Sources {
		for _, l := range s.Rejects {
			fmt.Fprintf(w, "rejected, %s: %s of %s\n", l.Reason, countText(int(l.Count), "record"), s.Source)
			for _, e := range l.Examples {
				fmt.Fprintf(w, "  %s, %d bytes at %d: %s\n", e.Path, e.Length, e.Offset, e.Detail)
			}
		}
	}
}
