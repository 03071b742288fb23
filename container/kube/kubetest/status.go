package kubetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Digest is the manifest digest that a runtime would have found for an image.
func Digest(image string) string {
	sum := sha256.Sum256([]byte(image))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func id(name string) string { return "containerd://" + Digest(name)[len("sha256:"):] }

// address is one of TEST-NET-2, by the pod's name.
func address(pod string) string {
	sum := sha256.Sum256([]byte(pod))
	return fmt.Sprintf("198.51.100.%d", 1+sum[0]%250)
}

func running(specs []corev1.Container) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	for _, c := range specs {
		all = append(all, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: "registry.example/any@" + Digest(c.Image), ContainerID: id(c.Name), Ready: true,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		})
	}
	return all
}

func ended(specs []corev1.Container) []corev1.ContainerStatus {
	all := running(specs)
	for i := range all {
		all[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: metav1.Now(), FinishedAt: metav1.Now()}}
	}
	return all
}
