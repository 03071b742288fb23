// Command holder quarantines a pod by the API, or releases what a case holds.
// Tests build it with the tag "fault" and kill it at each of its fault points.
//
//	holder apply|release CASE KUBECONFIG NAMESPACE POD
package main

import (
	"context"
	"fmt"
	"os"

	"amber/container"
	cluster "amber/container/kube"
	"amber/isolate"
	"amber/isolate/kube"
)

func main() {
	if err := run(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, verb, caseDir, kubeconfig, namespace, pod string) error {
	api, err := cluster.New(cluster.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	m := kube.New(api, kube.Options{CaseID: "20261122T033000Z-k3f7qa", BlockImage: true, FreezeCredentials: true, Rejoin: true})
	if verb == "release" {
		return release(ctx, caseDir, m)
	}
	found, err := api.Find(ctx, container.Target{Scheme: "pod", Namespace: namespace, Pod: pod})
	if err != nil {
		return err
	}
	p, err := m.Plan(ctx, isolate.Target{Name: "pod/" + namespace + "/" + pod, Containers: found})
	if err != nil {
		return err
	}
	_, err = isolate.Apply(ctx, caseDir, m, p)
	return err
}

func release(ctx context.Context, caseDir string, m *kube.Method) error {
	entries, err := isolate.Load(caseDir)
	if err != nil {
		return err
	}
	_, err = isolate.Release(ctx, entries, func(string) (isolate.Method, error) { return m, nil })
	return err
}
