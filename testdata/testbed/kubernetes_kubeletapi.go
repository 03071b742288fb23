package testbed

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Probe names one of kubelet's counters of probes.
type Probe struct {
	Namespace, Pod, Container string
	Type                      string // "Liveness", "Readiness", "Startup"
	Result                    string // "successful", "failed", "unknown"
}

// ProbeCounts gives kubelet's counters of probes, its metric prober_probe_total.
// They count since the container was first probed, restarts included.
func (k *Kubernetes) ProbeCounts(t testing.TB) map[Probe]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	metrics, err := k.Kubelet(ctx, "GET", "/metrics/probes")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[Probe]int{}
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "prober_probe_total{") {
			probe, n, err := parseProbe(line)
			if err != nil {
				t.Fatal(err)
			}
			counts[probe] += n
		}
	}
	return counts
}

func parseProbe(line string) (Probe, int, error) {
	labels := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)="([^"]*)"`).FindAllStringSubmatch(line, -1) {
		labels[m[1]] = m[2]
	}
	_, value, _ := strings.Cut(line, "} ")
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil {
		return Probe{}, 0, fmt.Errorf("reading the metric %q: %w", line, err)
	}
	return Probe{labels["namespace"], labels["pod"], labels["container"], labels["probe_type"], labels["result"]}, int(n), nil
}

// Checkpoint has kubelet make a checkpoint of a container, and returns the path
// of the archive.
func (k *Kubernetes) Checkpoint(ctx context.Context, namespace, pod, container string) (string, error) {
	data, err := k.Kubelet(ctx, "POST", "/checkpoint/"+namespace+"/"+pod+"/"+container)
	if err != nil {
		return "", err
	}
	var made struct{ Items []string }
	if err := json.Unmarshal(data, &made); err != nil || len(made.Items) != 1 {
		return "", fmt.Errorf("kubelet answers %q: %w", data, err)
	}
	return made.Items[0], nil
}
