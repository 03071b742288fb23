// Command holder quarantines a pod by the API, or releases what a case holds.
// Tests build it with the tag "fault" and kill it at each of its fault points.
//
//	holder apply|release CASE KUBECONFIG NAMESPACE POD
package main

import (
	"context"

	"amber/container"
	cluster "amber/container/kube"
	"amber/isolate"
	"amber/isolate/crashtest/holding"
	"amber/isolate/kube"
)

func main() { holding.Main(run) }

func run(ctx context.Context, args []string) error {
	verb, caseDir, kubeconfig, namespace, pod := args[0], args[1], args[2], args[3], args[4]
	api, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	m := kube.New(api, kube.Options{CaseID: "20261122T033000Z-k3f7qa", BlockImage: true, FreezeCredentials: true, Rejoin: true})
	if verb == "release" {
		return holding.Release(ctx, caseDir, m)
	}
	found, err := api.Find(ctx, container.Target{Scheme: "pod", Namespace: namespace, Pod: pod})
	if err != nil {
		return err
	}
	return holding.Apply(ctx, caseDir, m, isolate.Target{Name: "pod/" + namespace + "/" + pod, Containers: found})
}
