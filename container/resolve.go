package container

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"
)

// Resolve finds the containers that a target means. A pod gives all its
// containers but the sandbox; anything else gives exactly one, or a
// *NotFoundError or *AmbiguousError with candidates.
//
// All runtimes are asked at once. One that does not answer is a warning; when
// none answers, or one failed and nothing was found, their errors are the error.
func Resolve(ctx context.Context, runtimes []Runtime, t Target) (found []Container, warnings []error, err error) {
	found, warnings = ask(runtimes, func(r Runtime) ([]Container, error) { return r.Find(ctx, owned(r, t)) })
	found = current(exact(t, Unique(found)))
	switch {
	case len(found) == 0 && len(warnings) > 0 && len(warnings) == len(runtimes):
		return nil, nil, errors.Join(warnings...)
	case len(found) == 0:
		all, _ := ask(runtimes, func(r Runtime) ([]Container, error) { return r.List(ctx) })
		return nil, warnings, &NotFoundError{Target: t, Candidates: nearest(t, Unique(all))}
	case len(found) > 1 && (t.Scheme != "pod" || t.Container != ""):
		return nil, warnings, &AmbiguousError{Target: t, Candidates: found}
	}
	return found, warnings, nil
}

// owned turns a target in containerd's namespace "moby" into Docker's own when
// Docker is asked.
func owned(r Runtime, t Target) Target {
	if r.Name() == "docker" && t.Scheme == "containerd" && t.Namespace == "moby" {
		return Target{Scheme: "docker", ID: t.ID}
	}
	return t
}

// All lists the containers of all runtimes, each once. A runtime that does not
// answer is a warning.
func All(ctx context.Context, runtimes []Runtime) (found []Container, warnings []error) {
	found, warnings = ask(runtimes, func(r Runtime) ([]Container, error) { return r.List(ctx) })
	return Unique(found), warnings
}

// Siblings are the other containers of c's pod, without its sandbox, as the
// runtime that runs c has them; none where c is in no pod.
func Siblings(ctx context.Context, r Runtime, c Container) ([]Container, error) {
	if c.Pod == nil {
		return nil, nil
	}
	all, err := r.Find(ctx, Target{Scheme: "pod", Namespace: c.Pod.Namespace, Pod: c.Pod.Name})
	if err != nil {
		return nil, err
	}
	var others []Container
	for _, o := range current(all) {
		if o.Ref() != c.Ref() && o.Pod.UID == c.Pod.UID {
			others = append(others, o)
		}
	}
	return others, nil
}

func ask(runtimes []Runtime, question func(Runtime) ([]Container, error)) (found []Container, failed []error) {
	answers, errs := make([][]Container, len(runtimes)), make([]error, len(runtimes))
	var wg sync.WaitGroup
	for i, r := range runtimes {
		wg.Go(func() { answers[i], errs[i] = question(r) })
	}
	wg.Wait()
	for i := range runtimes {
		found = append(found, answers[i]...)
		if errs[i] != nil {
			failed = append(failed, errs[i])
		}
	}
	return found, failed
}

// Unique drops what is seen twice: containerd's view of a container that
// Docker runs is dropped for Docker's, that of the CRI, which can do least, for
// either, and a cluster's view of one that runs on
// this host for that of its runtime, which knows its processes.
func Unique(all []Container) []Container {
	docker, here, seen := map[string]bool{}, map[string]bool{}, map[string]bool{}
	better := map[string]bool{} // than the CRI
	for _, c := range all {
		if c.Runtime == "docker" {
			docker[c.ID] = true
		}
		if c.Runtime == "docker" || c.Runtime == "containerd" {
			better[c.ID] = true
		}
		if c.Runtime != "kube" {
			here[c.ID] = true
			here[inPod(c)] = true
		}
	}
	var unique []Container
	for _, c := range all {
		if seen[c.Ref()] || c.Runtime == "containerd" && c.Namespace == "moby" && docker[c.ID] {
			continue
		}
		if c.Runtime == "cri" && better[c.ID] {
			continue
		}
		if c.Runtime == "kube" && (c.ID != "" && here[c.ID] || inPod(c) != "" && here[inPod(c)]) {
			continue
		}
		seen[c.Ref()] = true
		unique = append(unique, c)
	}
	return unique
}

// inPod names a container by its place in its pod, which a restart does not
// change as it does the id; empty where it has none.
func inPod(c Container) string {
	if c.Pod == nil || c.Pod.UID == "" || c.Pod.Sandbox {
		return ""
	}
	return c.Pod.UID + "/" + c.Pod.Container
}

// exact prefers those whose id or name is the target to those that only begin
// with it.
func exact(t Target, found []Container) []Container {
	var whole []Container
	for _, c := range found {
		if c.ID == t.ID || c.Name == t.ID {
			whole = append(whole, c)
		}
	}
	if t.ID == "" || len(whole) == 0 {
		return found
	}
	return whole
}

// current drops the earlier runs of a pod's container, which the runtime keeps
// for a while, where the pod has one that is not over.
func current(found []Container) []Container {
	key := func(c Container) string { return c.Pod.Namespace + "/" + c.Pod.Name + "/" + c.Pod.Container }
	live := map[string]bool{}
	for _, c := range found {
		if c.Pod != nil && c.State != Stopped {
			live[key(c)] = true
		}
	}
	var kept []Container
	for _, c := range found {
		if c.Pod == nil || c.State != Stopped || !live[key(c)] {
			kept = append(kept, c)
		}
	}
	return kept
}

// nearest sorts those first that share something with what was asked for.
func nearest(t Target, all []Container) []Container {
	near := func(c Container) bool {
		if t.Scheme == "pod" {
			return c.Pod != nil && (c.Pod.Namespace == t.Namespace || c.Pod.Name == t.Pod)
		}
		return strings.Contains(c.ID, t.ID) || c.Name != "" && (strings.Contains(c.Name, t.ID) || strings.Contains(t.ID, c.Name))
	}
	sort.SliceStable(all, func(i, j int) bool {
		if a, b := near(all[i]), near(all[j]); a != b {
			return a
		}
		return all[i].Ref() < all[j].Ref()
	})
	return all
}
