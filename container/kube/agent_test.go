package kube

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestAgentState(t *testing.T) {
	with := func(phase corev1.PodPhase, s corev1.ContainerState) corev1.PodStatus {
		return corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{State: s}}}
	}
	waiting := func(reason string) corev1.PodStatus {
		return with(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "why"}})
	}
	for name, tc := range map[string]struct {
		status         corev1.PodStatus
		running, final bool
		reason         string
	}{
		"nothing yet":     {corev1.PodStatus{}, false, false, "Pending"},
		"being made":      {waiting("ContainerCreating"), false, false, "ContainerCreating"},
		"pull failed":     {waiting("ErrImagePull"), false, false, "ErrImagePull"},
		"pull backs off":  {waiting("ImagePullBackOff"), false, true, "ImagePullBackOff"},
		"never pulled":    {waiting("ErrImageNeverPull"), false, true, "ErrImageNeverPull"},
		"runs":            {with(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), true, false, ""},
		"has ended":       {with(corev1.PodFailed, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 2}}), false, true, "Error"},
		"node is full":    {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "OutOfpods", Message: "full"}, false, true, "OutOfpods"},
		"deadline passed": {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded"}, false, true, "DeadlineExceeded"},
	} {
		running, failed := agentState(&corev1.Pod{Status: tc.status})
		if running != tc.running || running == (failed != nil) {
			t.Errorf("%s: %v %+v", name, running, failed)
			continue
		}
		if failed != nil && (failed.final != tc.final || failed.Reason != tc.reason || !strings.Contains(failed.Error(), tc.reason)) {
			t.Errorf("%s: %+v", name, failed)
		}
	}
	now := metav1.Now()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &now}, Status: with(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})}
	if running, failed := agentState(p); running && failed == nil {
		t.Error("one that is being deleted runs")
	}
}

func TestAgentPod(t *testing.T) {
	a := Agent{
		Namespace: "ns", Name: "amber-x", Node: "n1", Image: "i@sha256:1", Argv: []string{"/amber"},
		Labels: map[string]string{"amber-case": "c", "app.kubernetes.io/name": "other"}, Deadline: time.Hour,
	}
	data, err := json.Marshal(a.pod())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"nodeName":"n1"`, `"hostPID":true`, `"hostNetwork":true`, `"privileged":true`, `"mountPropagation":"HostToContainer"`, `"activeDeadlineSeconds":3600`,
		`"automountServiceAccountToken":false`, `"restartPolicy":"Never"`, `"tolerations":[{"operator":"Exists"}]`, `"amber-case":"c"`, `"app.kubernetes.io/name":"amber"`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in %s", want, data)
		}
	}
	if strings.Contains(string(data), "priorityClassName") {
		t.Error("a full node's kubelet would evict others for it")
	}
	a.Private = true
	if p := a.pod(); *p.Spec.Containers[0].VolumeMounts[0].MountPropagation != corev1.MountPropagationNone {
		t.Error("a private agent follows the node's mounts")
	}
	var err2 error = &AgentError{Reason: "CreateContainerError", Message: `path "/" is mounted on "/" but it is not a shared or slave mount`}
	var failed *AgentError
	if !errors.As(err2, &failed) || !failed.NotShared() {
		t.Error("it is not told that the mount is private")
	}
}
