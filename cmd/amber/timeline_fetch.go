package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"amber/evidence/casedir"
	"amber/evidence/custody"
	"amber/timeline/fetch"
	"amber/timeline/fetch/gcp"
)

const actionFetch = "timeline-fetch"

// fetchCommand pulls logs into the case.
func fetchCommand() *cli.Command {
	common := []cli.Flag{
		caseFlag(), outputFlag(), logDirFlag(),
		&cli.StringFlag{Name: "since", Required: true, Usage: "from this `TIME` on: 2026-11-22T14:00:00Z, a day, or a duration before now such as 6h"},
		&cli.StringFlag{Name: "until", Usage: "to this `TIME`; now otherwise"},
		&cli.BoolFlag{Name: "plan", Usage: "print the calls and the permissions that they need, and call nothing"},
	}
	remote := []cli.Flag{
		&cli.StringFlag{Name: "endpoint", Usage: "the service's `URL`, where it is not the vendor's own"},
		&cli.BoolFlag{Name: "plain-http", Usage: "allow an endpoint without TLS"},
	}
	sub := func(name, usage string, flags []cli.Flag, from fetchFrom) *cli.Command {
		return &cli.Command{Name: name, Usage: usage, Flags: join(common, flags), Action: action(0, 0, "without arguments", func(c *cli.Context, asJSON bool) error {
			return timelineFetch(c, from, asJSON)
		})}
	}
	return &cli.Command{
		Name: "fetch", Usage: "pull logs from where a vendor keeps them into the case, for timeline build to read",
		Description: "Each answer is kept as it came, with its SHA-256. The same command again goes on with a\nfetch that was cut off; one to a fixed --until that is complete is not made again.",
		Subcommands: []*cli.Command{
			sub("aws", "what CloudTrail recorded: by LookupEvents, or from a trail's bucket", join(remote, []cli.Flag{
				&cli.StringSliceFlag{Name: "region", Usage: "ask LookupEvents in this region; may be repeated (default: AWS_REGION, or the shared files')"},
				&cli.StringFlag{Name: "s3", Usage: "what a trail delivered below `s3://BUCKET/PREFIX`, and not LookupEvents"},
			}), fromAWS),
			sub("gcp", "entries of Google Cloud Logging", join(remote, []cli.Flag{
				&cli.StringSliceFlag{Name: "project", Required: true, Usage: "of this `PROJECT`, or folders/ID or organizations/ID; may be repeated"},
				&cli.StringFlag{Name: "filter", Value: gcp.AuditLogs, Usage: "in the logging query language, beside the time; '' for all entries"},
			}), fromGCP),
			sub("azure", "the activity log of Azure Monitor", join(remote, []cli.Flag{
				&cli.StringSliceFlag{Name: "subscription", Required: true, Usage: "of the subscription with this `ID`; may be repeated"},
			}), fromAzure),
			sub("kube", "the Events of a cluster and the logs of its containers", []cli.Flag{
				&cli.StringFlag{Name: "kubeconfig", Usage: "how the cluster is reached; KUBECONFIG and the usual places otherwise"},
				&cli.StringFlag{Name: "context", Usage: "the kubeconfig's context"},
				&cli.StringSliceFlag{Name: "namespace", Usage: "of this namespace alone; may be repeated"},
				&cli.StringFlag{Name: "selector", Usage: "logs of pods with these labels alone"},
			}, fromKube),
		},
	}
}

// fetchFrom makes the origin that the flags mean. What it has to say of itself
// for the request goes into the options.
type fetchFrom func(c *cli.Context, span fetch.Span) (fetch.Origin, error)

// fetchOptions are the flags that make a request what it is.
var fetchOptions = []string{"endpoint", "region", "s3", "context", "kubeconfig", "namespace", "selector", "project", "filter", "subscription"}

func fetchRequest(c *cli.Context) fetch.Request {
	r := fetch.Request{Origin: c.Command.Name, Since: c.String("since"), Until: c.String("until"), Options: map[string]string{}}
	for _, name := range fetchOptions {
		if !c.IsSet(name) {
			continue
		}
		if list := c.StringSlice(name); len(list) > 0 {
			list = slices.Clone(list)
			slices.Sort(list)
			r.Options[name] = strings.Join(list, ",")
			continue
		}
		r.Options[name] = c.String(name)
	}
	return r
}

// fetchResult is what a fetch prints.
type fetchResult struct {
	fetch.Report
	Case    string           `json:"case"`
	Custody *custody.Receipt `json:"custody,omitempty"`
	Error   string           `json:"error,omitempty"`
	Next    string           `json:"next"`
}

func timelineFetch(c *cli.Context, from fetchFrom, asJSON bool) error {
	now := time.Now()
	request := fetchRequest(c)
	span, err := request.Span(now)
	if err != nil {
		return usagef("%w", err)
	}
	origin, err := from(c, span)
	if err != nil {
		return err
	}
	if c.Bool("plan") {
		return printFetchPlan(origin.Plan(), asJSON)
	}
	cs, err := caseForTimeline(c)
	if err != nil {
		return err
	}
	defer cs.Close()
	cs.Tool, cs.Signer = tool(), quietSigner()
	opened, found, err := fetch.Find(cs.Dir(), request)
	if err == nil && !found {
		opened, err = fetch.Create(cs.Dir(), request, span, origin.Plan(), now)
	}
	if err != nil {
		return err
	}
	if opened.Span != span {
		if origin, err = from(c, opened.Span); err != nil {
			return err
		}
	}
	if !opened.Complete {
		if err := logAsked(cs, request, opened, origin.Plan()); err != nil {
			return err
		}
	}
	p := fetchProgress{shown: isTerminal(os.Stderr)}
	report, runErr := opened.Run(c.Context, origin, fetch.Options{Progress: p.show, Note: p.note})
	p.end()
	result := fetchResult{Report: report, Case: cs.Dir(), Next: "amber timeline build"}
	if runErr != nil {
		result.Error, result.Next = runErr.Error(), "the same command again goes on from here"
	}
	result.Custody, err = logFetched(cs, opened, report, runErr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "amber: the custody log: "+safeLines(err.Error()))
	}
	return fetchTold(result, runErr, asJSON)
}

// logAsked enters, before the first call, what is asked for.
func logAsked(cs *casedir.Case, r fetch.Request, o fetch.Opened, p fetch.Plan) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = cs.Log(custody.Entry{
		Action: actionFetch, Result: "asked", Counterparty: p.Server,
		Reason: fmt.Sprintf("%s to %s: %s", o.Span.Since.Format(time.RFC3339), o.Span.Until.Format(time.RFC3339), text),
	})
	return err
}

// filesPerEntry keeps an entry of the custody log far below its limit.
const filesPerEntry = 1000

// logFetched enters what came, and the digest of every file that the log does
// not know yet.
func logFetched(cs *casedir.Case, o fetch.Opened, r fetch.Report, failed error) (last *custody.Receipt, err error) {
	names, err := o.Kept()
	if err != nil {
		return nil, err
	}
	known := cs.KnownFiles().Files
	names = slices.DeleteFunc(names, func(name string) bool {
		_, there := known[name]
		return there && !casedir.Grows(name)
	})
	for first := true; first || len(names) > 0; first = false {
		now := names[:min(len(names), filesPerEntry)]
		names = names[len(now):]
		files, err := cs.Files(now...)
		if err != nil {
			return last, err
		}
		e := custody.Entry{Action: actionFetch, Files: files, Result: cmp.Or(map[bool]string{true: "done"}[r.Complete], "cut off"), Alterations: []string{fetchLine(r)}}
		if failed != nil {
			e.Errors = []string{failed.Error()}
		}
		receipt, err := cs.Log(e)
		if err != nil {
			return last, err
		}
		last = &receipt
	}
	return last, nil
}

func fetchLine(r fetch.Report) string {
	text := fmt.Sprintf("%s in %s: %s, %s, %s", r.ID, countText(int(r.Calls), "call"), countText(int(r.Files), "file"), size(r.Bytes), countText(int(r.Records), "record"))
	if r.Skipped > 0 {
		text += fmt.Sprintf("; %d outside of the time", r.Skipped)
	}
	if r.Missed > 0 {
		text += "; " + missesText(int(r.Missed))
	}
	return text
}

// fetchTold prints what a fetch did.
func fetchTold(r fetchResult, failed error, asJSON bool) error {
	if asJSON {
		if err := emit(os.Stdout, r); err != nil {
			return err
		}
	} else {
		fmt.Println(safeLines(fetchLine(r.Report)))
		fmt.Println("in     " + safeLines(r.Dir))
		for _, m := range r.Misses {
			fmt.Println("MISSED " + safeLines(m))
		}
		fmt.Println("next   " + r.Next)
	}
	switch {
	case failed != nil:
		return fmt.Errorf("%w (%s)", failed, r.Next)
	case r.Missed > 0:
		return outcome{exitMisses, missesText(int(r.Missed)) + ": the list has them"}
	}
	return nil
}
