package kube

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
)

// Name is what the adapter is called, and the Runtime of its containers.
const Name = "kube"

// containers are a pod's: those that prepare it, its own, and those that were
// added to it for debugging.
func containers(pod *corev1.Pod) []container.Container {
	statuses := map[string]corev1.ContainerStatus{}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			statuses[s.Name] = s
		}
	}
	var all []container.Container
	for _, c := range pod.Spec.InitContainers {
		all = append(all, convert(pod, c, statuses[c.Name], initKind(c)))
	}
	for _, c := range pod.Spec.Containers {
		all = append(all, convert(pod, c, statuses[c.Name], ""))
	}
	for _, c := range pod.Spec.EphemeralContainers {
		all = append(all, convert(pod, corev1.Container(c.EphemeralContainerCommon), statuses[c.Name], "it is an ephemeral container, added to the pod while that ran"))
	}
	return all
}

func initKind(c corev1.Container) string {
	if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
		return "it is a sidecar: an init container that goes on running"
	}
	return "it is an init container"
}

func convert(pod *corev1.Pod, c corev1.Container, s corev1.ContainerStatus, note string) container.Container {
	_, id, _ := strings.Cut(s.ContainerID, "://")
	out := container.Container{
		Runtime: Name, ID: id, Name: c.Name, State: state(s.State), Created: pod.CreationTimestamp.UTC(),
		Image:   container.Image{Ref: c.Image, Digest: digest(s.ImageID)},
		Pod:     &container.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID), Container: c.Name},
		Labels:  pod.Labels,
		Handler: handler(pod),
		Spec:    spec(pod, c),
	}
	if s.State.Running != nil {
		out.Started = s.State.Running.StartedAt.UTC()
	} else if s.State.Terminated != nil {
		out.Started = s.State.Terminated.StartedAt.UTC()
	}
	if note != "" {
		out.Notes = append(out.Notes, note)
	}
	return withNotes(out, pod)
}

// withNotes adds what the API does not know.
func withNotes(c container.Container, pod *corev1.Pod) container.Container {
	where := "the API server's view"
	if pod.Spec.NodeName != "" {
		where += "; it runs on the node " + pod.Spec.NodeName
	}
	c.Notes = append(c.Notes, where+": processes, files and logs are read there, and risks are judged by the pod's spec alone")
	if c.Spec != nil && c.Spec.Process.User.Username == imageUser {
		c.Spec.Process.User.Username = ""
		c.Notes = append(c.Notes, "the image says which user it runs as; root is assumed")
	}
	if c.Spec == nil {
		c.Notes = append(c.Notes, "it is a Windows container")
	}
	return c
}

// state is what the kubelet last reported. It does not know of "paused".
func state(s corev1.ContainerState) container.State {
	switch {
	case s.Running != nil:
		return container.Running
	case s.Terminated != nil:
		return container.Stopped
	case s.Waiting != nil:
		return container.Created
	}
	return container.Unknown
}

// digest is the manifest's, where the runtime found one; an image that was
// never pulled has only the digest of its configuration, which is not it.
func digest(imageID string) string {
	_, d, ok := strings.Cut(imageID, "@")
	if !ok || !strings.HasPrefix(d, "sha256:") && !strings.HasPrefix(d, "sha512:") {
		return ""
	}
	return d
}

func handler(pod *corev1.Pod) string {
	if pod.Spec.RuntimeClassName != nil {
		return *pod.Spec.RuntimeClassName
	}
	return ""
}
