package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"amber/container"
)

// Kubelet makes checkpoints of pods' containers by the kubelet of their node,
// which the API server is asked to pass the call on to: the account needs
// "create" on nodes/checkpoint or nodes/proxy. Its archives are files of the
// node, so it is of use there alone.
type Kubelet struct {
	Cluster *Cluster
}

var _ container.Checkpointer = (*Kubelet)(nil)

// checkpoints is where a kubelet keeps its archives, below its root directory.
const checkpoints = "checkpoints"

// maxMade is the bound of what a kubelet answers, in bytes.
const maxMade = 1 << 20

// Checkpoint asks the kubelet. What CRIU is allowed cannot be told it.
func (k *Kubelet) Checkpoint(ctx context.Context, c container.Container, _ container.CheckpointOptions) (container.Checkpointed, error) {
	done := container.Checkpointed{Via: "the kubelet's checkpoint call"}
	if c.Pod == nil || c.Pod.Container == "" {
		return done, fmt.Errorf("checkpoint of %s: it is no pod's: %w", c.Ref(), container.ErrNotSupported)
	}
	node, err := k.Cluster.nodeOf(ctx, c.Pod)
	if err != nil {
		return done, err
	}
	body, err := k.post(ctx, node, "/checkpoint/"+url.PathEscape(c.Pod.Namespace)+"/"+url.PathEscape(c.Pod.Name)+"/"+url.PathEscape(c.Pod.Container))
	if err != nil {
		return done, fmt.Errorf("checkpoint of %s by the kubelet of %s: %w", c.Ref(), node, err)
	}
	var made struct {
		Items []string `json:"items"`
	}
	if err := json.Unmarshal(body, &made); err != nil || len(made.Items) != 1 {
		return done, fmt.Errorf("the kubelet of %s answers %q", node, body)
	}
	done.Archive = made.Items[0]
	if !plausible(done.Archive) {
		done.Archive = ""
		return done, fmt.Errorf("the kubelet of %s names %q, which is no archive of its folder %s", node, made.Items[0], checkpoints)
	}
	return done, nil
}

// plausible guards against an answer that would have another file taken, and
// removed.
func plausible(path string) bool {
	return filepath.IsAbs(path) && filepath.Clean(path) == path && filepath.Base(filepath.Dir(path)) == checkpoints &&
		strings.HasPrefix(filepath.Base(path), "checkpoint-") && strings.HasSuffix(path, ".tar")
}

// post passes a call on to the kubelet. A dump takes longer than the calls of
// this package are given, so only ctx bounds it.
func (k *Kubelet) post(ctx context.Context, node, path string) ([]byte, error) {
	client, err := k.Cluster.connect()
	if err != nil {
		return nil, err
	}
	address := strings.TrimSuffix(k.Cluster.base.String(), "/") + "/api/v1/nodes/" + url.PathEscape(node) + "/proxy" + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, nil)
	if err != nil {
		return nil, err
	}
	unlimited := *client
	unlimited.Timeout = 0
	answer, err := unlimited.Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxMade))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = errors.New(answer.Status + ": " + strings.TrimSpace(string(body)))
	}
	return body, err
}

// nodeOf is the node that a pod is on, by the API.
func (c *Cluster) nodeOf(ctx context.Context, p *container.Pod) (string, error) {
	pod, err := c.Pod(ctx, p.Namespace, p.Name)
	if err != nil {
		return "", err
	}
	if pod.Spec.NodeName == "" {
		return "", fmt.Errorf("pod %s/%s is on no node", p.Namespace, p.Name)
	}
	return pod.Spec.NodeName, nil
}
