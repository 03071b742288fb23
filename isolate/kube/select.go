package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"amber/container/kube"
)

// selecting is an object that selects pods by their labels.
type selecting struct {
	what     string // "services shop/web"
	selector labels.Selector
	keys     []string
	policy   bool // a NetworkPolicy, which may allow what ours denies
}

func (s selecting) selects(l map[string]string) bool { return s.selector.Matches(labels.Set(l)) }

// selectors lists what selects the pod: its owners, Services, disruption
// budgets and NetworkPolicies. unread says of which it could not be told.
func (m *Method) selectors(ctx context.Context, pod podID, podLabels map[string]string, owners []kube.Owner) (all []selecting, unread []error) {
	for _, o := range owners {
		if o.Err != nil {
			unread = append(unread, o.Err)
			continue
		}
		if s, ok, err := parseSelecting(o.Object.String(), o.Object.Resource, o.Data); err != nil {
			unread = append(unread, err)
		} else if ok {
			all = append(all, s)
		}
	}
	for _, o := range selectingResources(pod.Namespace) {
		items, err := m.api.Items(ctx, o, nil)
		if err != nil {
			unread = append(unread, err)
			continue
		}
		for _, item := range items {
			if s, ok, err := parseSelecting(o.Resource, o.Resource, item); err != nil {
				unread = append(unread, err)
			} else if ok {
				all = append(all, s)
			}
		}
	}
	return slices.DeleteFunc(all, func(s selecting) bool { return !s.selects(podLabels) }), unread
}

func selectingResources(namespace string) []kube.Object {
	return []kube.Object{
		{Version: "v1", Resource: "services", Namespace: namespace},
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: namespace},
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets", Namespace: namespace},
	}
}

// parseSelecting reads an object's selector. Services and
// ReplicationControllers have a map, all others a LabelSelector; ok is false
// for one that selects nothing, or has none.
func parseSelecting(what, resource string, data []byte) (s selecting, ok bool, err error) {
	var o struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     struct {
			Selector    json.RawMessage `json:"selector"`
			PodSelector json.RawMessage `json:"podSelector"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(data, &o); err != nil {
		return s, false, fmt.Errorf("reading %s: %w", what, err)
	}
	s.what, s.policy = what, resource == "networkpolicies"
	if what == resource {
		s.what = resource + " " + o.Metadata.Namespace + "/" + o.Metadata.Name
	}
	raw := o.Spec.Selector
	if s.policy {
		raw = o.Spec.PodSelector
		if len(raw) == 0 {
			raw = json.RawMessage("{}") // selects all
		}
	}
	if len(raw) == 0 || string(raw) == "null" {
		return s, false, nil
	}
	switch resource {
	case "services", "replicationcontrollers":
		ok, err = s.byMap(raw)
	default:
		ok, err = s.bySelector(raw)
	}
	if err != nil {
		err = fmt.Errorf("the selector of %s: %w", s.what, err)
	}
	return s, ok, err
}

func (s *selecting) byMap(raw json.RawMessage) (bool, error) {
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		return false, err
	}
	s.selector, s.keys = labels.SelectorFromSet(m), keysOf(m)
	return len(m) > 0, nil
}

func (s *selecting) bySelector(raw json.RawMessage) (bool, error) {
	var ls metav1.LabelSelector
	if err := json.Unmarshal(raw, &ls); err != nil {
		return false, err
	}
	selector, err := metav1.LabelSelectorAsSelector(&ls)
	if err != nil {
		return false, err
	}
	s.selector, s.keys = selector, keysOf(ls.MatchLabels)
	for _, e := range ls.MatchExpressions {
		s.keys = append(s.keys, e.Key)
	}
	return true, nil
}

func keysOf(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// usedLabels are those of a pod's labels that some selector uses.
func usedLabels(podLabels map[string]string, all []selecting) []string {
	used := map[string]string{}
	for _, s := range all {
		for _, k := range s.keys {
			if v, ok := podLabels[k]; ok {
				used[k] = v
			}
		}
	}
	return keysOf(used)
}

// without are labels less some keys.
func without(l map[string]string, keys []string) map[string]string {
	left := map[string]string{}
	for k, v := range l {
		if !slices.Contains(keys, k) {
			left[k] = v
		}
	}
	return left
}
