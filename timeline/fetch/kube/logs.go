package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"amber/timeline/fetch"
)

// log is one log of a container.
type log struct {
	Namespace, Pod, UID, Container string
	Restart                        int64 // how often it had been started again
	Previous                       bool
}

// log gets one log, or goes to the next page of pods.
func (o *Origin) log(ctx context.Context, s state, kept fetch.Kept, w io.Writer) (fetch.Step, error) {
	if s.Page >= s.Pages {
		return fetch.Step{Done: true, State: pack(s)}, nil
	}
	name, logs, err := o.logsOf(s, kept)
	if err != nil {
		return fetch.Step{}, err
	}
	if s.Log >= len(logs) {
		s.Page, s.Log = s.Page+1, 0
		return fetch.Step{State: pack(s), Done: s.Page >= s.Pages}, nil
	}
	l := logs[s.Log]
	s.Log++
	if s.Log >= len(logs) {
		s.Page, s.Log = s.Page+1, 0
	}
	step := fetch.Step{State: pack(s), Done: s.Page >= s.Pages}
	if !l.plain() {
		step.Misses = []string{fmt.Sprintf("a container of %s: %q is no name of a container", name, l)}
		return step, nil
	}
	return o.copyLog(ctx, l, step, w)
}

func (o *Origin) copyLog(ctx context.Context, l log, step fetch.Step, w io.Writer) (fetch.Step, error) {
	object := Object{Version: "v1", Resource: "pods", Namespace: l.Namespace, Name: l.Pod, Sub: "log"}
	query := url.Values{"container": {l.Container}, "timestamps": {"true"}, "sinceTime": {o.Span.Since.UTC().Format(time.RFC3339)}}
	if l.Previous {
		query.Set("previous", "true")
	}
	step.Call = call(object, query)
	body, err := o.API.Open(ctx, object, query)
	if missed(err) {
		step.Misses = []string{fmt.Sprintf("the log of %s: %v", l, err)}
		return step, nil
	}
	if err != nil {
		return step, err
	}
	defer body.Close()
	count := &lines{w: w}
	if _, err := io.Copy(count, body); err != nil {
		return step, fmt.Errorf("the log of %s: %w", l, err)
	}
	step.Records = count.n
	if count.any { // a log without a line is no file: nothing was said
		step.File = l.file()
	}
	return step, nil
}

// missed reports whether the API server has no log there, or may not give it:
// that is noted, and the fetch goes on.
func missed(err error) bool {
	r := (*fetch.Refused)(nil)
	return errors.As(err, &r) && !r.Transient() && r.Status != 401
}

type lines struct {
	w   io.Writer
	n   int64
	any bool
}

func (l *lines) Write(p []byte) (int, error) {
	n, err := l.w.Write(p)
	l.any = l.any || n > 0
	for _, b := range p[:n] {
		if b == '\n' {
			l.n++
		}
	}
	return n, err
}

// logsOf lists the logs of a page of pods.
func (o *Origin) logsOf(s state, kept fetch.Kept) (string, []log, error) {
	name := podsFile(s.Page + 1)
	if o.name == name {
		return name, o.logs, nil
	}
	data, err := kept(name)
	if err != nil {
		return name, nil, fmt.Errorf("the list of pods: %w", err)
	}
	o.name = name
	o.logs, err = logsIn(data)
	return name, o.logs, err
}

type status struct {
	Name         string
	RestartCount int64
	LastState    struct{ Terminated *struct{} }
}

// logsIn reads the containers of a page of pods.
func logsIn(page []byte) (logs []log, err error) {
	var list struct {
		Items []struct {
			Metadata struct{ Name, Namespace, UID string }
			Status   struct{ InitContainerStatuses, ContainerStatuses, EphemeralContainerStatuses []status }
		}
	}
	if err := json.Unmarshal(page, &list); err != nil {
		return nil, fmt.Errorf("reading the list of pods: %w", err)
	}
	for _, p := range list.Items {
		for _, statuses := range [][]status{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
			for _, c := range statuses {
				l := log{p.Metadata.Namespace, p.Metadata.Name, p.Metadata.UID, c.Name, c.RestartCount, false}
				if c.RestartCount > 0 || c.LastState.Terminated != nil {
					before := l
					before.Previous, before.Restart = true, max(0, c.RestartCount-1)
					logs = append(logs, before)
				}
				logs = append(logs, l)
			}
		}
	}
	return logs, nil
}

// plain reports whether all names can stand in a path.
func (l log) plain() bool {
	for _, name := range []string{l.Namespace, l.Pod, l.UID, l.Container} {
		if name == "" || len(name) > 253 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") != "" || name[0] == '.' {
			return false
		}
	}
	return l.Restart >= 0
}

// file is as kubelet names it, so that the source tells pod and container.
func (l log) file() string {
	return fmt.Sprintf("%s/pods/%s_%s_%s/%s/%d.log", fetch.Raw, l.Namespace, l.Pod, l.UID, l.Container, l.Restart)
}

func (l log) String() string {
	text := l.Namespace + "/" + l.Pod + "/" + l.Container
	if l.Previous {
		text += " before its last restart"
	}
	return text
}
