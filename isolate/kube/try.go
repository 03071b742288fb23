package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"amber/container/kube"
	"amber/isolate"
)

const poll = 100 * time.Millisecond

// attempt is what became of a request that admission is to refuse. Every one
// is a dry run.
type attempt struct {
	name    string
	refused bool  // by the policy of this hold
	untried error // why it could not be tried
	got     string
}

func (t attempt) check() isolate.Check { return isolate.Check{Name: t.name, OK: t.refused, Got: t.got} }

// judge reads the answer to an attempt. That somebody else refuses it proves
// nothing of the policy.
func (b before) judge(name string, err error) attempt {
	t := attempt{name: name}
	lacking := (*kube.ForbiddenError)(nil)
	switch {
	case err == nil:
		t.got = "the API server would have done it"
	case strings.Contains(err.Error(), b.Object.Name) && strings.Contains(err.Error(), b.Hold):
		t.refused, t.got = true, "refused by the admission policy "+b.Object.Name
	case errors.As(err, &lacking):
		t.untried, t.got = err, "not tried: "+err.Error()
	case apierrors.IsNotFound(err):
		t.untried, t.got = err, "the pod is gone"
	default:
		t.got = "refused, though not by amber's policy: " + err.Error()
	}
	return t
}

func dryRun() url.Values { return url.Values{"dryRun": {"All"}} }

// tries are the attempts that prove a step.
func (m *Method) tries(ctx context.Context, b before) []attempt {
	switch b.Proves {
	case provesHeld:
		return []attempt{m.tryDelete(ctx, b), m.tryEvict(ctx, b)}
	case provesImage:
		return []attempt{m.tryImage(ctx, b)}
	case provesToken:
		return []attempt{m.tryWrite(ctx, b)}
	}
	return nil
}

func (m *Method) tryDelete(ctx context.Context, b before) attempt {
	body, _ := json.Marshal(tree{"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": []any{"All"}, "preconditions": tree{"uid": b.Pod.UID}})
	_, err := m.api.Do(ctx, kube.Request{Method: http.MethodDelete, Object: b.Pod.object(), Query: dryRun(), Body: body})
	return b.judge("deletion of "+b.Pod.ref()+" is refused (dry run)", err)
}

func (m *Method) tryEvict(ctx context.Context, b before) attempt {
	o := b.Pod.object()
	o.Sub = "eviction"
	body, _ := json.Marshal(tree{
		"apiVersion": "policy/v1", "kind": "Eviction", "metadata": tree{"name": b.Pod.Name, "namespace": b.Pod.Namespace},
		"deleteOptions": tree{"dryRun": []any{"All"}, "preconditions": tree{"uid": b.Pod.UID}},
	})
	_, err := m.api.Do(ctx, kube.Request{Method: http.MethodPost, Object: o, Query: dryRun(), Body: body})
	return b.judge("eviction of "+b.Pod.ref()+" is refused (dry run)", err)
}

// tryImage makes a pod that the strictest of pod security standards lets pass.
func (m *Method) tryImage(ctx context.Context, b before) attempt {
	body, _ := json.Marshal(tree{
		"apiVersion": "v1", "kind": "Pod", "metadata": tree{"name": "amber-try-" + b.Hold},
		"spec": tree{
			"automountServiceAccountToken": false,
			"securityContext":              tree{"runAsNonRoot": true, "seccompProfile": tree{"type": "RuntimeDefault"}},
			"containers": []any{tree{"name": "try", "image": b.Image, "securityContext": tree{
				"allowPrivilegeEscalation": false, "capabilities": tree{"drop": []any{"ALL"}},
			}}},
		},
	})
	o := kube.Object{Version: "v1", Resource: "pods", Namespace: b.Pod.Namespace}
	_, err := m.api.Do(ctx, kube.Request{Method: http.MethodPost, Object: o, Query: dryRun(), Body: body})
	return b.judge("a new pod of "+b.Image+" is refused (dry run)", err)
}

// tryWrite writes in the name of the pod, which takes the right to impersonate
// it. Where RBAC already refuses the write it proves nothing, and does no harm.
func (m *Method) tryWrite(ctx context.Context, b before) attempt {
	account := "default"
	if pod, err := m.api.Pod(ctx, b.Pod.Namespace, b.Pod.Name); err == nil && pod.Spec.ServiceAccountName != "" {
		account = pod.Spec.ServiceAccountName
	}
	as := http.Header{
		"Impersonate-User":  {username(b.Pod.Namespace, account)},
		"Impersonate-Group": {"system:serviceaccounts", "system:serviceaccounts:" + b.Pod.Namespace, "system:authenticated"},
		"Impersonate-Extra-" + url.PathEscape(podUIDClaim): {b.Pod.UID},
	}
	body, _ := json.Marshal(tree{"apiVersion": "v1", "kind": "ConfigMap", "metadata": tree{"name": "amber-try-" + b.Hold}})
	o := kube.Object{Version: "v1", Resource: "configmaps", Namespace: b.Pod.Namespace}
	_, err := m.api.Do(ctx, kube.Request{Method: http.MethodPost, Object: o, Query: dryRun(), Body: body, As: as})
	t := b.judge("a write with the pod's token is refused (dry run)", err)
	if err != nil && strings.Contains(err.Error(), "cannot impersonate") {
		t.untried = err
	}
	return t
}

// blocked waits, before the pod leaves its owner, until admission refuses the
// image: the replacement is there within milliseconds.
func (a *application) blocked(ctx context.Context, steps []isolate.Step) error {
	for _, s := range steps {
		if b, err := decode(s); err == nil && b.Proves == provesImage && a.taken(s.ID) {
			return a.await(ctx, b)
		}
	}
	return nil
}

func (a *application) taken(id int) bool {
	for _, o := range a.r.Outcomes {
		if o.ID == id {
			return o.Changed && o.Err == ""
		}
	}
	return false
}

// effective waits until admission refuses what it is to refuse: a policy is
// in force a second or so after it was made.
func (a *application) effective(ctx context.Context) []error {
	var errs []error
	for _, s := range a.r.Steps {
		b, err := decode(s)
		if err != nil || b.Proves == "" || b.Proves == provesToken || !a.taken(s.ID) {
			continue
		}
		errs = append(errs, a.await(ctx, b))
	}
	return errs
}

// await polls until all attempts are refused. What cannot be tried is not
// waited for: verify says so.
func (m *Method) await(ctx context.Context, b before) error {
	ctx, cancel := context.WithTimeout(ctx, m.o.Wait)
	defer cancel()
	for {
		var open *attempt
		for _, t := range m.tries(ctx, b) {
			if !t.refused && t.untried == nil {
				open = &t
			}
		}
		if open == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is in place and not in force after %s: %s: %s", b.Object, m.o.Wait, open.name, open.got)
		case <-time.After(poll):
		}
	}
}
