// Package kube pulls a cluster's Events and the logs of its containers: the
// lists by pages, and of each container the log that is, and the one before its
// last restart. The API has no filter by time for Events, and none for the end
// of a log: what it gives is kept as it came.
package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"

	"amber/timeline/fetch"
)

// Object names what the API has, as container/kube does.
type Object struct {
	Group, Version, Resource, Namespace, Name, Sub string
}

// API is the cluster. Errors of its are *fetch.Refused where it answered.
type API interface {
	Open(ctx context.Context, o Object, query url.Values) (io.ReadCloser, error)
}

// Origin is of fetch.Origin.
type Origin struct {
	API        API
	Server, As string // for people
	Span       fetch.Span
	Namespaces []string // empty: all
	Selector   string   // of pods, for logs
	PageSize   int      // of lists; 0: 500

	name string // of the list of pods that is read
	logs []log
}

// state is where a fetch stands.
type state struct {
	Phase string `json:"phase"` // events, pods, logs
	Space int    `json:"space"` // the index of the namespace
	Token string `json:"token,omitempty"`
	Page  int    `json:"page"`  // of pods: pages that were kept; of logs: the page that is read
	Pages int    `json:"pages"` // of pods, in all
	Log   int    `json:"log"`   // of the page
	N     int    `json:"n"`     // files of events
	From  int    `json:"from"`  // files or pages before this list's first
}

// Step is of fetch.Origin.
func (o *Origin) Step(ctx context.Context, at json.RawMessage, kept fetch.Kept, w io.Writer) (fetch.Step, error) {
	s := state{Phase: "events"}
	if err := fetch.At(at, &s); err != nil {
		return fetch.Step{}, err
	}
	if s.Phase == "logs" {
		return o.log(ctx, s, kept, w)
	}
	return o.list(ctx, s, w)
}

func (o *Origin) namespaces() []string {
	if len(o.Namespaces) == 0 {
		return []string{""}
	}
	return o.Namespaces
}

// maxPage bounds a page of a list.
const maxPage = 256 << 20

// list gets a page of events or pods.
func (o *Origin) list(ctx context.Context, s state, w io.Writer) (fetch.Step, error) {
	if s.Space < 0 || s.Space >= len(o.namespaces()) {
		return fetch.Step{}, errors.New("the fetch stands at a namespace that was not asked for")
	}
	object := Object{Version: "v1", Resource: s.Phase, Namespace: o.namespaces()[s.Space]}
	query := url.Values{"limit": {strconv.Itoa(max(o.PageSize, 0))}}
	if o.PageSize == 0 {
		query.Set("limit", "500")
	}
	if s.Phase == "pods" && o.Selector != "" {
		query.Set("labelSelector", o.Selector)
	}
	step := fetch.Step{Call: call(object, query), Walk: fmt.Sprintf("%s %d", s.Phase, s.Space)}
	if s.Token != "" {
		query.Set("continue", s.Token)
		step.Call += " (its next page)"
	}
	page, err := o.page(ctx, object, query)
	if r := (*fetch.Refused)(nil); s.Token != "" && errors.As(err, &r) && r.Status == 410 {
		return step, &fetch.Forgotten{Walk: step.Walk, Restart: restart(s), Err: err}
	}
	if err != nil {
		return step, err
	}
	if _, err := w.Write(page); err != nil {
		return step, err
	}
	return o.listed(s, step, page)
}

// restart is the state before a list's first page.
func restart(s state) json.RawMessage {
	s.Token = ""
	if s.Phase == "events" {
		s.N = s.From
	} else {
		s.Pages = s.From
	}
	return pack(s)
}

// listed says what a page was and what comes next.
func (o *Origin) listed(s state, step fetch.Step, page []byte) (fetch.Step, error) {
	var l struct {
		Metadata struct{ Continue string } `json:"metadata"`
		Items    []struct{}                `json:"items"`
	}
	if err := json.Unmarshal(page, &l); err != nil {
		return step, fmt.Errorf("reading the list of %s: %w", s.Phase, err)
	}
	if s.Phase == "events" {
		s.N++
		step.File, step.Records = fmt.Sprintf("%s/events/%06d.json", fetch.Raw, s.N), int64(len(l.Items))
	} else {
		s.Pages++
		step.File = podsFile(s.Pages)
	}
	if s.Token = l.Metadata.Continue; s.Token == "" {
		s = o.next(s)
	}
	step.State = pack(s)
	return step, nil
}

// next is behind the end of a list.
func (o *Origin) next(s state) state {
	s.From = s.N
	if s.Phase == "pods" {
		s.From = s.Pages
	}
	if s.Space++; s.Space < len(o.namespaces()) {
		return s
	}
	s.Space, s.From = 0, 0
	s.Phase = map[string]string{"events": "pods", "pods": "logs"}[s.Phase]
	return s
}

func podsFile(n int) string { return fmt.Sprintf("%s/pods/%06d.json", fetch.Asked, n) }

func (o *Origin) page(ctx context.Context, object Object, query url.Values) ([]byte, error) {
	body, err := o.API.Open(ctx, object, query)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return fetch.ReadAll(call(object, query), body, maxPage)
}

func pack(s state) json.RawMessage {
	data, _ := json.Marshal(s) // of plain fields
	return data
}

// call is what is asked, for people.
func call(o Object, query url.Values) string {
	path := "/api/" + o.Version
	if o.Namespace != "" {
		path += "/namespaces/" + o.Namespace
	}
	path += "/" + o.Resource
	if o.Name != "" {
		path += "/" + o.Name + "/" + o.Sub
	}
	return "GET " + path + "?" + query.Encode()
}

// Plan is of fetch.Origin.
func (o *Origin) Plan() fetch.Plan {
	p := fetch.Plan{Origin: "kube", Since: o.Span.Since, Until: o.Span.Until, Server: o.Server, As: o.As}
	for _, ns := range o.namespaces() {
		p.Calls = append(p.Calls,
			fetch.Call{Call: call(Object{Version: "v1", Resource: "events", Namespace: ns}, url.Values{"limit": {"500"}}), Why: "the cluster's Events, by pages"},
			fetch.Call{Call: call(Object{Version: "v1", Resource: "pods", Namespace: ns}, url.Values{"limit": {"500"}}), Why: "whose logs there are"})
		if ns == "" {
			ns = "…"
		}
		logs := url.Values{"container": {"…"}, "timestamps": {"true"}, "sinceTime": {o.Span.Since.Format(time.RFC3339)}}
		p.Calls = append(p.Calls, fetch.Call{Call: call(Object{Version: "v1", Resource: "pods", Namespace: ns, Name: "…", Sub: "log"}, logs), Why: "of each container, and with previous=true of each that was started again"})
		where := "in all namespaces"
		if ns != "…" {
			where = "in namespace " + ns
		}
		p.Permissions = append(p.Permissions, "list events "+where, "list pods "+where, "get pods/log "+where)
	}
	p.Notes = []string{
		"the API keeps Events for an hour, if it was not told otherwise, and has no filter by time: all that it has are kept",
		"a log has what kubelet still keeps of it (by default its last 10 MiB), from --since to the moment of the call",
	}
	return p
}
