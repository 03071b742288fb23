// Package azure pulls a subscription's activity log from Azure Monitor, over
// net/http: the client library would cost every start of amber more than it
// saves here (docs/decisions/fetch.md).
package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"amber/timeline/fetch"
	"amber/timeline/fetch/oauth"
)

// Endpoint is the public cloud's.
const Endpoint = "https://management.azure.com"

const (
	login     = "https://login.microsoftonline.com"
	version   = "2015-04-01"
	maxAnswer = 256 << 20
)

// Origin is of fetch.Origin.
type Origin struct {
	HTTP          *http.Client
	Tokens        *oauth.Tokens
	Endpoint      string
	Subscriptions []string
	Span          fetch.Span
}

type state struct {
	Subscription int    `json:"subscription"` // its index
	Next         string `json:"next,omitempty"`
	Page         int    `json:"page"`
}

// Step is of fetch.Origin.
func (o *Origin) Step(ctx context.Context, at json.RawMessage, _ fetch.Kept, w io.Writer) (fetch.Step, error) {
	var s state
	if err := fetch.At(at, &s); err != nil {
		return fetch.Step{}, err
	}
	if s.Subscription < 0 || s.Subscription >= len(o.Subscriptions) {
		return fetch.Step{}, errors.New("the fetch stands at a subscription that was not asked for")
	}
	id := o.Subscriptions[s.Subscription]
	step := fetch.Step{Call: fmt.Sprintf("the activity log of %s, page %d", id, s.Page+1), Walk: id}
	data, err := o.ask(ctx, s, &step)
	if r := (*fetch.Refused)(nil); s.Next != "" && errors.As(err, &r) && (r.Status == 400 || r.Status == 410) {
		begin, _ := json.Marshal(state{Subscription: s.Subscription})
		return step, &fetch.Forgotten{Walk: step.Walk, Restart: begin, Err: err}
	}
	if err != nil {
		return step, err
	}
	if _, err := w.Write(data); err != nil {
		return step, err
	}
	return o.answered(s, step, data)
}

func (o *Origin) ask(ctx context.Context, s state, step *fetch.Step) ([]byte, error) {
	address := s.Next
	if address == "" {
		address = o.first(o.Subscriptions[s.Subscription])
	}
	if !o.own(address) {
		return nil, fmt.Errorf("%s: the next page is said to be on another server, which the token is not sent to: %s", step.Call, address)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if err := o.Tokens.Sign(ctx, req); err != nil {
		return nil, err
	}
	resp, err := fetch.Send(o.HTTP, req, step.Call)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	step.Answer = resp.Header.Get("X-Ms-Request-Id")
	return fetch.ReadAll(step.Call, resp.Body, maxAnswer)
}

// own reports whether an address is on the server that was named.
func (o *Origin) own(address string) bool {
	a, err := url.Parse(address)
	base, baseErr := url.Parse(o.Endpoint)
	return err == nil && baseErr == nil && a.Scheme == base.Scheme && strings.EqualFold(a.Host, base.Host) && a.User == nil
}

func (o *Origin) answered(s state, step fetch.Step, data []byte) (fetch.Step, error) {
	var page struct {
		Value []struct{} `json:"value"`
		Next  string     `json:"nextLink"`
	}
	err := fetch.ReadPage(step.Call, data, &page, s.Next, &page.Next)
	if err != nil {
		return step, err
	}
	step.Records = int64(len(page.Value))
	s.Page, s.Next = s.Page+1, page.Next
	step.File = fmt.Sprintf("%s/%s/%06d.json", fetch.FolderFor(step.Records), o.Subscriptions[s.Subscription], s.Page)
	if s.Next == "" {
		s = state{Subscription: s.Subscription + 1}
	}
	step.Done = s.Subscription == len(o.Subscriptions)
	step.State, err = json.Marshal(s)
	return step, err
}

func (o *Origin) first(subscription string) string {
	filter := fmt.Sprintf("eventTimestamp ge '%s' and eventTimestamp le '%s'", o.Span.Since.Format(time.RFC3339Nano), o.Span.Until.Format(time.RFC3339Nano))
	q := url.Values{"api-version": {version}, "$filter": {filter}}
	return strings.TrimSuffix(o.Endpoint, "/") + "/subscriptions/" + url.PathEscape(subscription) + "/providers/Microsoft.Insights/eventtypes/management/values?" + q.Encode()
}

// Plan is of fetch.Origin.
func (o *Origin) Plan() fetch.Plan {
	p := fetch.Plan{Origin: "azure", Since: o.Span.Since, Until: o.Span.Until, Server: o.Endpoint, As: o.Tokens.From}
	for _, id := range o.Subscriptions {
		p.Calls = append(p.Calls, fetch.Call{Call: "GET " + o.first(id), Why: "the activity log, by pages (nextLink)"})
		p.Permissions = append(p.Permissions, "Microsoft.Insights/eventtypes/values/Read on /subscriptions/"+id+" (role Reader or Monitoring Reader)")
	}
	p.Notes = []string{"Azure keeps the activity log for 90 days; sign-ins, the directory's audit log and resource logs (AKS) are not in it: export them by diagnostic settings, and read those with amber timeline build"}
	return p
}
