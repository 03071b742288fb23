// Package gcp pulls entries of Google Cloud Logging by entries.list, over
// net/http: the client library would cost every start of amber more than it
// saves here (docs/decisions/fetch.md).
package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"amber/evidence/retry"
	"amber/timeline/fetch"
	"amber/timeline/fetch/oauth"
)

// Endpoint is Google's own.
const Endpoint = "https://logging.googleapis.com"

const (
	perPage   = 1000 // the most that entries.list gives
	maxAnswer = 256 << 20
)

// Pace is the time between two calls: a project may make 60 a minute.
const Pace = time.Second

// AuditLogs is the filter of the audit logs, where no other is given.
const AuditLogs = `logName:"cloudaudit.googleapis.com"`

// Origin is of fetch.Origin.
type Origin struct {
	HTTP      *http.Client
	Tokens    *oauth.Tokens
	Endpoint  string
	Resources []string // projects/ID, folders/ID, organizations/ID
	Filter    string   // beside the time
	Span      fetch.Span
	Pace      time.Duration

	last time.Time
}

type state struct {
	Token string `json:"token,omitempty"`
	Page  int    `json:"page"` // that were kept
}

// Step is of fetch.Origin.
func (o *Origin) Step(ctx context.Context, at json.RawMessage, _ fetch.Kept, w io.Writer) (fetch.Step, error) {
	var s state
	if err := fetch.At(at, &s); err != nil {
		return fetch.Step{}, err
	}
	if err := retry.Sleep(ctx, time.Until(o.last.Add(o.Pace))); err != nil {
		return fetch.Step{}, err
	}
	o.last = time.Now()
	step := fetch.Step{Call: fmt.Sprintf("entries.list of %s, page %d", strings.Join(o.Resources, ", "), s.Page+1), Walk: "entries"}
	data, err := o.ask(ctx, s.Token, &step)
	if r := (*fetch.Refused)(nil); s.Token != "" && errors.As(err, &r) && r.Code == "INVALID_ARGUMENT" {
		return step, &fetch.Forgotten{Walk: step.Walk, Restart: json.RawMessage(`{"page":0}`), Err: err}
	}
	if err != nil {
		return step, err
	}
	if _, err := w.Write(data); err != nil {
		return step, err
	}
	return answered(s, step, data)
}

func (o *Origin) ask(ctx context.Context, token string, step *fetch.Step) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"resourceNames": o.Resources, "filter": o.filter(), "orderBy": "timestamp asc", "pageSize": perPage, "pageToken": token,
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if err := o.Tokens.Sign(ctx, req); err != nil {
		return nil, err
	}
	resp, err := fetch.Send(o.HTTP, req, step.Call)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return fetch.ReadAll(step.Call, resp.Body, maxAnswer)
}

// answered says what a page was and what comes next. A page may be empty and
// have a next one all the same: the server searched for long.
func answered(s state, step fetch.Step, data []byte) (fetch.Step, error) {
	var page struct {
		Entries []struct{} `json:"entries"`
		Next    string     `json:"nextPageToken"`
	}
	err := fetch.ReadPage(step.Call, data, &page, s.Token, &page.Next)
	if err != nil {
		return step, err
	}
	step.Records = int64(len(page.Entries))
	s.Page, s.Token = s.Page+1, page.Next
	step.File = fmt.Sprintf("%s/%06d.json", fetch.FolderFor(step.Records), s.Page)
	step.Done = s.Token == ""
	step.State, err = json.Marshal(s)
	return step, err
}

func (o *Origin) url() string { return strings.TrimSuffix(o.Endpoint, "/") + "/v2/entries:list" }

func (o *Origin) filter() string {
	text := fmt.Sprintf(`timestamp>=%q AND timestamp<=%q`, o.Span.Since.Format(time.RFC3339Nano), o.Span.Until.Format(time.RFC3339Nano))
	if o.Filter != "" {
		text += " AND (" + o.Filter + ")"
	}
	return text
}

// Plan is of fetch.Origin.
func (o *Origin) Plan() fetch.Plan {
	p := fetch.Plan{
		Origin: "gcp", Since: o.Span.Since, Until: o.Span.Until, Server: o.Endpoint, As: o.Tokens.From,
		Calls: []fetch.Call{{
			Call: fmt.Sprintf("POST %s of %s, filter %s", o.url(), strings.Join(o.Resources, ", "), o.filter()),
			Why:  "log entries, the earliest first, by pages of 1000", Rate: "one call in " + Pace.String(),
		}},
		Notes: []string{"what the log router excludes was never kept; admin activity is kept for 400 days, other logs for 30 if it was not told otherwise"},
	}
	for _, r := range o.Resources {
		p.Permissions = append(p.Permissions, "logging.logEntries.list on "+r, "logging.privateLogEntries.list on "+r+" (data access logs)")
	}
	return p
}
