// Package kube quarantines a pod by the API of its cluster: a NetworkPolicy for
// this pod alone and whatever stronger policies the cluster serves, its labels
// taken out of the reach of Services and controllers, its deletion and eviction
// refused by admission, its node left alone by scheduler and autoscaler. All of
// it works from a workstation; none of it stops what runs already, which is the
// node's part.
package kube

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"amber/container/kube"
	"amber/isolate"
	"amber/isolate/allow"
)

// Name is the method's name in plans and journals.
const Name = "kube"

// The labels and annotations that this method puts on objects. A hold is one
// application of the method to one pod; a case may have several.
const (
	LabelCase = "quarantine.amber/case"
	LabelHold = "quarantine.amber/hold"

	annotationPod = "quarantine.amber/pod"         // on what is made: NAMESPACE/NAME UID
	holdOnNode    = "hold.quarantine.amber/"       // + hold: the case, on a node
	nodeBefore    = "quarantine.amber/node-before" // how the first hold found the node

	safeToEvict   = "cluster-autoscaler.kubernetes.io/safe-to-evict"
	scaleDownOff  = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
	fieldManager  = "amber"
	effectiveWait = 15 * time.Second // for admission policies, which take a second or so
)

// Options of a Method. Verify and Revert need none but Rejoin.
type Options struct {
	CaseID            string
	KeepLabels        bool         // leave the pod in its selectors
	Allow             []allow.Rule // what it may still reach
	BlockImage        bool         // refuse new pods of its image in its namespace
	FreezeCredentials bool         // refuse writes with this pod's token
	WholeAccount      bool         // … with any token of its service account
	NoCordon          bool         // leave the node as it is
	Rejoin            bool         // at release, put the labels back that were taken off
	Wait              time.Duration
}

// Method quarantines one pod. See isolate.Method.
type Method struct {
	api *kube.Cluster
	o   Options
}

var _ isolate.Method = (*Method)(nil)

// New makes the method for a cluster.
func New(api *kube.Cluster, o Options) *Method {
	o.Wait = cmp.Or(o.Wait, effectiveWait)
	return &Method{api: api, o: o}
}

// Name is "kube".
func (m *Method) Name() string { return Name }

// HeldError says that another case holds the pod, in the cluster's own words:
// the host's index of holds knows only what was held from this host. It is an
// *isolate.HeldError too.
type HeldError struct {
	Object kube.Object // that says so
	Case   string
	Hold   string
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("it is held already by case %s, as %s says; release that first", e.Case, e.Object)
}

// As gives the error as an *isolate.HeldError.
func (e *HeldError) As(target any) bool {
	held, ok := target.(**isolate.HeldError)
	if ok {
		*held = &isolate.HeldError{Hold: isolate.Hold{Case: e.Case, Plan: isolate.Plan{Method: Name}}}
	}
	return ok
}

// podID is the pod that a step is about.
type podID struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
	Node      string `json:"node,omitempty"`
}

func (p podID) ref() string { return "pod/" + p.Namespace + "/" + p.Name }

func (p podID) object() kube.Object {
	return kube.Object{Version: "v1", Resource: "pods", Namespace: p.Namespace, Name: p.Name}
}

// The actions of this method's steps.
const (
	actionCreate = "create"
	actionLabel  = "label"
	actionCordon = "cordon"
)

// before is what a step must know to be taken, verified and undone, also by
// another process later. It is a step's Before.
type before struct {
	Pod             podID           `json:"pod"`
	Case            string          `json:"case"`
	Hold            string          `json:"hold"`
	Object          kube.Object     `json:"object"`
	UID             string          `json:"uid,omitempty"`             // of Object, where it was there
	ResourceVersion string          `json:"resourceVersion,omitempty"` // as it was looked at
	Body            json.RawMessage `json:"body,omitempty"`            // what is created
	Proves          string          `json:"proves,omitempty"`          // what Verify tries: one of the consts below
	Image           string          `json:"image,omitempty"`           // that a policy blocks
	Fields          []field         `json:"fields,omitempty"`          // what is changed
	KeepLabels      bool            `json:"keepLabels,omitempty"`
	Owner           string          `json:"owner,omitempty"` // the pod's controller: "ReplicaSet shop/web-5f"
}

// What Verify tries of an object that was made.
const (
	provesHeld  = "held"        // deletion and eviction of the pod are refused
	provesImage = "image"       // a pod of the image is refused
	provesToken = "credentials" // a write with the pod's token is refused
)

func (b before) step(id int, action, what, undo string) isolate.Step {
	s := isolate.Step{ID: id, Action: action, Object: b.Object.String(), What: what, Undo: undo}
	// Structs of strings and JSON that this package has made: it cannot fail.
	s.Before, _ = json.Marshal(b)
	return s
}

func decode(s isolate.Step) (before, error) {
	var b before
	err := json.Unmarshal(s.Before, &b)
	if err == nil {
		err = b.plausible(s.Action)
	}
	if err != nil {
		return b, fmt.Errorf("reading step %d of the journal: %w", s.ID, err)
	}
	return b, nil
}

// plausible refuses a step that this method does not make: a journal is a file
// that others may have written to, and is acted on with a responder's rights.
func (b before) plausible(action string) error {
	switch {
	case b.Hold == "" || b.Pod.UID == "": // what has no label would else pass for this hold's
		return errors.New("it names no hold, or no pod")
	case action == actionLabel && b.Object != b.Pod.object(),
		action == actionCordon && b.Object != nodeObject(b.Object.Name),
		action == actionCreate && !strings.HasPrefix(strings.TrimPrefix(b.Object.Name, "default."), "amber-"):
		return fmt.Errorf("%s is nothing that a step %q changes", b.Object, action)
	}
	for _, f := range b.Fields {
		meta := len(f.Path) == 3 && f.Path[0] == "metadata" && (f.Path[1] == "labels" || f.Path[1] == "annotations")
		if !meta && !slices.Equal(f.Path, unschedulable) {
			return fmt.Errorf("%q is no field that this method changes", f.Path)
		}
	}
	return nil
}
