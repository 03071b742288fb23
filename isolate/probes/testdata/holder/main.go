// Command holder shields the probes of a pod, releases what a case holds, or is
// the responder. Tests build it with the tag "fault" and kill it at each of its
// fault points.
//
//	holder apply|release CASE INPUT
//	holder answer-probes CONFIG
//
// INPUT is JSON: the target's containers, the pod as the API server has it, and
// the program to start as the responder.
package main

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/isolate"
	"amber/isolate/crashtest/holding"
	"amber/isolate/probes"
)

type input struct {
	Containers []container.Container
	Pod        corev1.Pod
	Exe        string
}

func main() { holding.Main(run) }

func run(ctx context.Context, args []string) error {
	if args[0] == probes.Verb {
		return probes.Serve(ctx, args[1])
	}
	var in input
	if err := json.Unmarshal([]byte(args[2]), &in); err != nil {
		return err
	}
	m := probes.New(probes.Options{Exe: in.Exe, CaseID: "test", Pod: func(context.Context, string, string) (*corev1.Pod, error) { return &in.Pod, nil }})
	if args[0] == "release" {
		return holding.Release(ctx, args[1], m)
	}
	return holding.Apply(ctx, args[1], m, isolate.Target{Name: "pod", Containers: in.Containers})
}
