package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"amber/container/kube"
)

// Use is what somebody wants amber to do in a cluster.
type Use int

const (
	List    Use = 1 << iota // amber ps
	Isolate                 // amber isolate, verify
	Release                 // amber isolate release
	Record                  // the API's records of the pod into the bundle, as amber respond takes them
	Respond = List | Isolate | Release | Record
)

// right is one verb on one resource, and what it is needed for.
type right struct {
	verb    string
	object  kube.Object // without names; Namespace "*" where it is asked for the pod's namespace
	uses    Use
	why     string
	without string // what happens where it is lacking; empty where it must not
	if_     func(Options, serves) bool
}

func (r right) String() string { return r.verb + " " + r.object.String() }

func core(resource string) kube.Object { return kube.Object{Version: "v1", Resource: resource} }

func namespaced(o kube.Object) kube.Object { o.Namespace = "*"; return o }

func in(group, resource string) kube.Object {
	return kube.Object{Group: group, Version: "v1", Resource: resource}
}

func sub(o kube.Object, s string) kube.Object { o.Sub = s; return o }

func always(Options, serves) bool { return true }

// rights are all that this method and the adapter use.
func rights() []right {
	cordons := func(o Options, _ serves) bool { return !o.NoCordon }
	relabels := func(o Options, _ serves) bool { return !o.KeepLabels }
	var all []right
	add := func(uses Use, verbs string, o kube.Object, why, without string, if_ func(Options, serves) bool) {
		for _, v := range strings.Fields(verbs) {
			all = append(all, right{verb: v, object: o, uses: uses, why: why, without: without, if_: if_})
		}
	}
	pods, anyPods := namespaced(core("pods")), core("pods")
	add(List, "list", anyPods, "the containers of all pods", "", always)
	add(Isolate|Release|Record, "get", pods, "the pod itself", "", always)
	add(Isolate|Release, "patch", pods, "labels on and off", "", always)
	policies := namespaced(in("networking.k8s.io", "networkpolicies"))
	add(Isolate|Release, "get create delete", policies, "the policy for this pod alone", "", always)
	add(Isolate|Record, "list", policies, "which policies select the pod", "", relabels)
	for _, r := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		add(Isolate|Release, "get create delete", in(admissionGroup, r), "no deletion, no eviction, no new pod of the image, no writes with its token", "", always)
	}
	add(Isolate|Release|Record, "get", core("nodes"), "the pod's node", "", cordons)
	add(Isolate|Release, "patch", core("nodes"), "cordon and uncordon", "", cordons)
	for _, o := range selectingResources("*") {
		if o.Resource != "networkpolicies" {
			add(Isolate|Record, "list", o, "what selects the pod", "", relabels)
		}
	}
	for _, o := range []kube.Object{
		in("apps", "replicasets"), in("apps", "deployments"), in("apps", "statefulsets"), in("apps", "daemonsets"),
		in("batch", "jobs"), in("batch", "cronjobs"), core("replicationcontrollers"),
	} {
		add(Isolate|Record, "get", namespaced(o), "the pod's owners and their selectors", "an owner that cannot be read keeps the labels that it selects by", relabels)
	}
	slices := namespaced(in("discovery.k8s.io", "endpointslices"))
	add(Isolate|Record, "list", slices, "that Services send the pod nothing", "verify cannot tell whether Services still send the pod traffic", always)
	add(Isolate, "delete", pods, "dry runs: that deletion is refused", "verify cannot tell whether deletion is refused", always)
	add(Isolate, "create", sub(pods, "eviction"), "dry runs: that eviction is refused", "verify cannot tell whether eviction is refused", always)
	add(Isolate, "create", pods, "dry runs: that the image is refused", "verify cannot tell whether the image is refused", func(o Options, _ serves) bool { return o.BlockImage })
	add(Isolate, "list", in("apps", "daemonsets"), "which CNI there is", "it is not known which CNI there is", always)
	for _, g := range cniRights() {
		add(Isolate|Release, "get create delete", g.object, g.why, "that policy is not made", g.if_)
	}
	for _, o := range kube.Policies() {
		add(Record, "list", o, "the policies of the CNI", "they are missing from the bundle", always)
	}
	rbac := func(r string) kube.Object { return in("rbac.authorization.k8s.io", r) }
	accountLost := "it is not known what the pod's service account may do"
	add(Isolate|Record, "list", rbac("clusterrolebindings"), "what the pod's account may do", accountLost, always)
	add(Isolate|Record, "list", rbac("rolebindings"), "what the pod's account may do", accountLost, always)
	add(Isolate|Record, "get", rbac("clusterroles"), "what the pod's account may do", accountLost, always)
	add(Isolate|Record, "get", rbac("roles"), "what the pod's account may do", accountLost, always)
	add(Isolate|Record, "get", namespaced(core("serviceaccounts")), "the pod's account", accountLost, always)
	add(Record, "list", namespaced(core("events")), "events about the pod", "", always)
	add(Record, "list", namespaced(core("services")), "the Services that select the pod", "", always)
	return all
}

type cniRight struct {
	object kube.Object
	why    string
	if_    func(Options, serves) bool
}

func cniRights() []cniRight {
	return []cniRight{
		{namespaced(kube.Object{Group: "cilium.io", Version: "v2", Resource: "ciliumnetworkpolicies"}), "with Cilium", func(_ Options, s serves) bool { return s.Cilium }},
		{namespaced(kube.Object{Group: "projectcalico.org", Version: "v3", Resource: "networkpolicies"}), "with Calico and its API server", func(_ Options, s serves) bool { return s.Calico }},
		{namespaced(kube.Object{Group: "crd.projectcalico.org", Version: "v1", Resource: "networkpolicies"}), "with Calico", func(_ Options, s serves) bool { return s.CalicoCRD && !s.Calico }},
		{kube.Object{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "adminnetworkpolicies"}, "where AdminNetworkPolicies are served", func(_ Options, s serves) bool { return s.Admin }},
	}
}

// RightsError says which rights the account lacks without which nothing is
// begun.
type RightsError struct {
	Lacking []string // "create networkpolicies.networking.k8s.io in namespace shop"
}

func (e *RightsError) Error() string {
	return "this account may not " + strings.Join(e.Lacking, ", nor ") + " (amber isolate rbac prints a role that may)"
}

// lacks asks for every right of a use at once. Those that can be done without
// come as warnings, the others as a *RightsError.
func (m *Method) lacks(ctx context.Context, use Use, namespace string, s serves) (warnings []string, lacking map[string]bool, err error) {
	var asked []right
	for _, r := range rights() {
		if r.uses&use != 0 && r.if_(m.o, s) {
			asked = append(asked, r)
		}
	}
	allowed, errs := make([]bool, len(asked)), make([]error, len(asked))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 16)
	for i, r := range asked {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			allowed[i], errs[i] = m.api.May(ctx, r.verb, r.in(namespace).object)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, nil, fmt.Errorf("asking for this account's rights: %w", err)
	}
	var must RightsError
	lacking = map[string]bool{}
	for i, r := range asked {
		if allowed[i] {
			continue
		}
		lacking[r.String()] = true
		if r = r.in(namespace); r.without != "" {
			warnings = append(warnings, "this account may not "+r.String()+": "+r.without)
		} else {
			must.Lacking = append(must.Lacking, r.String())
		}
	}
	if len(must.Lacking) > 0 {
		return warnings, lacking, &must
	}
	return warnings, lacking, nil
}

// in asks for a right in the pod's namespace.
func (r right) in(namespace string) right {
	if r.object.Namespace == "*" {
		r.object.Namespace = namespace
	}
	return r
}
