package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What every agent has.
const (
	AgentContainer = "amber"
	AgentHost      = "/host" // where it has the node's root

	agentGrace = 1 // second: it has nothing to end
)

// agentLabels are on every agent.
var agentLabels = map[string]string{"app.kubernetes.io/name": "amber", "app.kubernetes.io/component": "via-node"}

// AgentSelector is the label selector that finds all agents.
const AgentSelector = "app.kubernetes.io/name=amber,app.kubernetes.io/component=via-node"

// Agent is a privileged pod that stands by on one node so that programs can be
// run there with the node's own processes, network and files.
type Agent struct {
	Namespace, Name, Node string
	Image                 string // pinned: REF@sha256:…
	Argv                  []string
	Labels, Annotations   map[string]string
	Deadline              time.Duration // after which the kubelet ends it, whatever becomes of its maker
	// Private takes the node's mounts as they are now, and not as they change:
	// for nodes whose root mount is not shared.
	Private bool
}

// pod is the agent's object. It is set on its node past the scheduler, so that
// a cordon or a taint does not matter; it has no priority class, for the
// kubelet of a full node evicts others for a critical pod, the target perhaps.
func (a Agent) pod() *corev1.Pod {
	yes, no, seconds, grace := true, false, int64(a.Deadline.Seconds()), int64(agentGrace)
	hostType, follow := corev1.HostPathDirectory, corev1.MountPropagationHostToContainer
	if a.Private {
		follow = corev1.MountPropagationNone
	}
	labels := map[string]string{}
	for _, m := range []map[string]string{a.Labels, agentLabels} {
		for k, v := range m {
			labels[k] = v
		}
	}
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Name, Labels: labels, Annotations: a.Annotations},
		Spec: corev1.PodSpec{
			NodeName: a.Node, HostPID: true, HostNetwork: true, DNSPolicy: corev1.DNSDefault,
			RestartPolicy: corev1.RestartPolicyNever, ActiveDeadlineSeconds: &seconds, TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Volumes:     []corev1.Volume{{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/", Type: &hostType}}}},
			Containers: []corev1.Container{{
				Name: AgentContainer, Image: a.Image, ImagePullPolicy: corev1.PullIfNotPresent, Command: a.Argv,
				SecurityContext: &corev1.SecurityContext{Privileged: &yes, RunAsUser: new(int64), RunAsGroup: new(int64), RunAsNonRoot: &no},
				VolumeMounts:    []corev1.VolumeMount{{Name: "host", MountPath: AgentHost, MountPropagation: &follow}},
			}},
		},
	}
}

// MakeAgent makes the pod; it does not wait until that runs.
func (c *Cluster) MakeAgent(ctx context.Context, a Agent) (*corev1.Pod, error) {
	body, err := json.Marshal(a.pod())
	if err != nil {
		return nil, err
	}
	data, err := c.Do(ctx, Request{Method: http.MethodPost, Object: pods(a.Namespace, ""), Body: body})
	if err != nil {
		return nil, fmt.Errorf("making the pod %s/%s: %w", a.Namespace, a.Name, err)
	}
	var made corev1.Pod
	if err := json.Unmarshal(data, &made); err != nil {
		return nil, fmt.Errorf("reading the pod that was made: %w", err)
	}
	return &made, nil
}

// Agents are those that a selector finds in a namespace.
func (c *Cluster) Agents(ctx context.Context, namespace, selector string) (list []corev1.Pod, err error) {
	items, err := c.Items(ctx, pods(namespace, ""), url.Values{"labelSelector": {selector}})
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		var p corev1.Pod
		if err := json.Unmarshal(item, &p); err != nil {
			return nil, fmt.Errorf("reading a pod of the list: %w", err)
		}
		list = append(list, p)
	}
	return list, nil
}

// AgentError says why an agent does not run.
type AgentError struct {
	Pod, Node string
	Reason    string // the kubelet's word: "ErrImageNeverPull"; empty where it says nothing
	Message   string
}

func (e *AgentError) Error() string {
	why := strings.TrimSuffix(cmp.Or(e.Reason, "no reason is given")+": "+e.Message, ": ")
	return fmt.Sprintf("the pod %s on the node %s does not run: %s", e.Pod, e.Node, why)
}

// NotShared reports whether it is because the node's root mount is private; an
// agent that is Private runs there.
func (e *AgentError) NotShared() bool {
	return strings.Contains(e.Message, "not a shared or slave mount") || strings.Contains(e.Message, "not a shared mount")
}

// WaitAgent waits until an agent runs, no longer than limit, and gives up as
// soon as the kubelet says that it will not: that is an *AgentError.
func (c *Cluster) WaitAgent(ctx context.Context, namespace, name string, limit time.Duration) (*corev1.Pod, error) {
	for end := time.Now().Add(limit); ; {
		pod, err := c.Pod(ctx, namespace, name)
		if err != nil {
			return nil, err
		}
		running, failed := agentState(pod)
		if running {
			return pod, nil
		}
		if failed != nil && (failed.final || time.Now().After(end)) {
			return pod, &failed.AgentError
		}
		if err := sleep(ctx, agentPoll); err != nil {
			return pod, err
		}
	}
}

const agentPoll = 200 * time.Millisecond

// agentFailure is why an agent does not run yet, or with final, never will.
type agentFailure struct {
	AgentError
	final bool
}

// hopeless are the kubelet's reasons that no waiting mends; a pull that failed
// once is tried again, until it backs off.
var hopeless = []string{
	"ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName", "ImageInspectError", "RegistryUnavailable",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff",
}

func agentState(p *corev1.Pod) (running bool, failed *agentFailure) {
	f := &agentFailure{AgentError: AgentError{Pod: p.Namespace + "/" + p.Name, Node: p.Spec.NodeName, Reason: p.Status.Reason, Message: p.Status.Message}}
	switch {
	case p.DeletionTimestamp != nil:
		f.Reason, f.Message, f.final = "Deleted", "somebody has deleted it", true
		return false, f
	case p.Status.Phase == corev1.PodFailed, p.Status.Phase == corev1.PodSucceeded:
		f.final = true
	case p.Status.Phase == "" || len(p.Status.ContainerStatuses) == 0:
		f.Reason, f.Message = cmp.Or(f.Reason, string(corev1.PodPending)), cmp.Or(f.Message, "the node's kubelet has not begun with it; is the node Ready?")
	}
	for _, s := range p.Status.ContainerStatuses {
		switch {
		case s.State.Running != nil && !f.final:
			return true, nil
		case s.State.Waiting != nil:
			f.Reason, f.Message = s.State.Waiting.Reason, s.State.Waiting.Message
			f.final = f.final || slices.Contains(hopeless, f.Reason)
		case s.State.Terminated != nil:
			f.final = true
			f.Reason = cmp.Or(f.Reason, s.State.Terminated.Reason)
			f.Message = cmp.Or(f.Message, s.State.Terminated.Message, fmt.Sprintf("its program ended with code %d", s.State.Terminated.ExitCode))
		}
	}
	return false, f
}

// RemoveAgent deletes a pod and waits until the kubelet has ended it and it is
// gone. One that is gone already, or whose name another has by now (uid is not
// its), is no error.
func (c *Cluster) RemoveAgent(ctx context.Context, namespace, name string, uid types.UID) error {
	o := pods(namespace, name)
	body, err := json.Marshal(metav1.DeleteOptions{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, Preconditions: preconditions(uid),
	})
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, Request{Method: http.MethodDelete, Object: o, Body: body})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing the pod %s/%s: %w", namespace, name, err)
	}
	for {
		pod, err := c.Pod(ctx, namespace, name)
		if apierrors.IsNotFound(err) || err == nil && uid != "" && pod.UID != uid {
			return nil
		}
		if err == nil {
			err = sleep(ctx, agentPoll)
		}
		if err != nil {
			return fmt.Errorf("waiting until the pod %s/%s is gone: %w", namespace, name, err)
		}
	}
}

func preconditions(uid types.UID) *metav1.Preconditions {
	if uid == "" {
		return nil
	}
	return &metav1.Preconditions{UID: &uid}
}
