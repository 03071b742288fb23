package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"amber/container/kube"
	"amber/evidence/durable"
	"amber/evidence/safetext"
)

// The label and the annotation by which an agent that was left behind is known.
const (
	agentCase   = "amber-case"
	agentHolder = "amber-holder"
)

// agent is a pod of amber's that runs on a node.
type agent struct {
	*agents
	record nodeRecord
}

// start makes an agent on a node and waits until it runs. What does not come
// to run is removed again.
func (g *agents) start(ctx context.Context, r nodeRecord) (*agent, error) {
	r.Namespace, r.Name, r.Image, r.Dir = g.namespace, newAgentName(), g.image, cmp.Or(r.Dir, g.dir)
	a := &agent{g, r}
	err := a.bring(ctx)
	var failed *kube.AgentError
	if errors.As(err, &failed) && failed.NotShared() {
		g.warn("the root mount of node " + r.Node + " is not shared: what amber leaves there keeps the node's mounts of now, until release")
		a.record.Name, a.record.UID, a.record.Private = newAgentName(), "", true
		err = a.bring(ctx)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// bring makes the pod, and waits until it runs.
func (a *agent) bring(ctx context.Context) error {
	a.record.Made, a.record.Removed = time.Now().UTC(), time.Time{}
	if err := a.record.save(a.cs); err != nil {
		return err
	}
	pod, err := a.make(ctx)
	if notMade(err) {
		a.record.Removed = time.Now().UTC()
		return errors.Join(err, a.record.save(a.cs))
	}
	if err != nil {
		return errors.Join(err, a.remove(ctx))
	}
	a.record.UID = string(pod.UID)
	a.enter(a.record, "made", a.alteration())
	if err := a.record.save(a.cs); err != nil {
		return errors.Join(err, a.remove(ctx))
	}
	if pod, err = a.cluster.WaitAgent(ctx, a.record.Namespace, a.record.Name, a.timeout); err != nil {
		return errors.Join(err, a.remove(ctx))
	}
	a.record.ImageID = imageID(pod)
	if err := a.record.save(a.cs); err != nil {
		return errors.Join(err, a.remove(ctx))
	}
	return nil
}

func (a *agent) make(ctx context.Context) (*corev1.Pod, error) {
	labels := map[string]string{}
	if a.cs != nil {
		labels[agentCase] = a.cs.Info().ID
	}
	durable.Point("before make agent")
	defer durable.Point("after make agent")
	return a.cluster.MakeAgent(ctx, kube.Agent{
		Namespace: a.record.Namespace, Name: a.record.Name, Node: a.record.Node, Image: a.image, Private: a.record.Private,
		Argv: []string{agentProgram, "on-node", "stand-by"}, Deadline: a.deadline,
		Labels: labels, Annotations: map[string]string{agentHolder: holder()},
	})
}

// notMade reports whether the API server has refused, so that there is surely
// no pod.
func notMade(err error) bool {
	var status *apierrors.StatusError
	return errors.As(err, &status) && status.ErrStatus.Code >= 400 && status.ErrStatus.Code < 500
}

func imageID(p *corev1.Pod) string {
	for _, s := range p.Status.ContainerStatuses {
		return s.ImageID
	}
	return ""
}

// alteration says what it took to get onto the node.
func (a *agent) alteration() string {
	runtime := ""
	if a.record.ImageID != "" {
		runtime = ", which the runtime has as " + a.record.ImageID
	}
	return fmt.Sprintf("made the privileged pod %s (uid %s, image %s%s) on the node %s at %s, with amber in it, which copies itself below %s/bin there",
		a.record.Agent(), a.record.UID, a.record.Image, runtime, a.record.Node, a.record.Made.Format(time.RFC3339), a.record.Dir)
}

// remove removes the pod, makes sure that it is gone, and records that.
func (a *agent) remove(ctx context.Context) error {
	ctx, cancel := lasting(ctx)
	defer cancel()
	durable.Point("before remove agent")
	err := a.cluster.RemoveAgent(ctx, a.record.Namespace, a.record.Name, types.UID(a.record.UID))
	durable.Point("after remove agent")
	if err != nil {
		a.enter(a.record, "may be left behind:")
		return fmt.Errorf("%w; the kubelet ends it at %s at the latest", err, a.record.Made.Add(a.deadline).Format(time.RFC3339))
	}
	a.record.Removed = time.Now().UTC()
	a.enter(a.record, "removed", "removed the pod "+a.record.Agent()+" at "+a.record.Removed.Format(time.RFC3339))
	return a.record.save(a.cs)
}

// sweep removes what an amber that died has left: what this case knows of, and
// what carries its label or names a process that is no more.
func (g *agents) sweep(ctx context.Context, records []nodeRecord) error {
	for _, r := range records {
		if !r.Removed.IsZero() {
			continue
		}
		g.warn("an earlier amber has left the pod " + r.Agent() + ": it is removed")
		a := &agent{g, r}
		if err := a.remove(ctx); err != nil {
			return err
		}
	}
	pods, err := g.cluster.Agents(ctx, g.namespace, kube.AgentSelector)
	if err != nil {
		return fmt.Errorf("looking for pods that an earlier amber has left: %w", err)
	}
	for _, p := range pods {
		ours := g.cs != nil && p.Labels[agentCase] == g.cs.Info().ID
		if !ours && !orphaned(p.Annotations[agentHolder]) {
			continue
		}
		g.warn("an earlier amber has left the pod " + p.Namespace + "/" + p.Name + ": it is removed")
		if err := g.cluster.RemoveAgent(ctx, p.Namespace, p.Name, p.UID); err != nil {
			return err
		}
		g.enter(nodeRecord{Namespace: p.Namespace, Name: p.Name, Node: p.Spec.NodeName}, "removed, which an earlier amber had left:")
	}
	return nil
}

// run runs amber on the node. What that says on standard error goes to this
// one's, line by line, but for its messages.
func (a *agent) run(ctx context.Context, q nodeRequest, stdout io.Writer, message func(nodeMessage)) (code int, err error) {
	q.Version, q.Channel, q.Dir = nodeVersion, rand.Text(), a.record.Dir
	q.Claimed, q.Alters = claims(a.cluster), []string{a.alteration()}
	request, err := json.Marshal(q)
	if err != nil {
		return -1, err
	}
	lines := &nodeLines{channel: q.Channel, message: message, text: func(line string) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", safetext.Line(a.record.Node), safetext.Line(strings.TrimPrefix(line, "amber: ")))
	}}
	defer lines.end()
	return a.cluster.Exec(ctx, kube.Exec{
		Namespace: a.record.Namespace, Pod: a.record.Name, Container: kube.AgentContainer,
		Argv:  []string{agentProgram, "on-node", "run"},
		Stdin: strings.NewReader(string(request) + "\n"), Stdout: stdout, Stderr: lines,
	})
}
