package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"
	corev1 "k8s.io/api/core/v1"

	"amber/container"
	"amber/container/containerd"
	"amber/container/docker"
	"amber/container/kube"
	"amber/isolate"
	"amber/isolate/critical"
	"amber/isolate/freeze"
)

const dockerSocket = "/run/docker.sock"

func runtimeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "containerd-address", EnvVars: []string{"AMBER_CONTAINERD_ADDRESS", "CONTAINERD_ADDRESS"}, Usage: "containerd's socket", Value: containerd.DefaultAddress},
		&cli.StringFlag{Name: "containerd-state", EnvVars: []string{"AMBER_CONTAINERD_STATE"}, Usage: "containerd's state directory, for when containerd does not answer"},
		&cli.StringFlag{Name: "kubeconfig", Usage: "how the cluster is reached; KUBECONFIG and the usual places otherwise"},
		&cli.StringFlag{Name: "context", Usage: "the kubeconfig's context"},
		criFlag(),
		&cli.StringFlag{Name: "docker-host", EnvVars: []string{"DOCKER_HOST"}, Usage: "Docker's socket or address", Value: "unix://" + dockerSocket},
	}
}

// runtimes are the container runtimes that this command may ask.
type runtimes struct {
	list    []container.Runtime
	sockets []string
	cluster func() (*kube.Cluster, error) // by what the command line names or the place has
}

// openRuntimes opens those that the scheme of a target concerns: all for "".
// Opening makes no call: what is not there is noticed when it is asked.
func openRuntimes(c *cli.Context, scheme string) (*runtimes, error) {
	r := newRuntimes(c)
	dockerAnswers := func() bool { return false }
	if host := c.String("docker-host"); scheme != "containerd" && scheme != "cri" && (c.IsSet("docker-host") || socketThere(host)) {
		d, err := docker.New(c.Context, host)
		if err != nil {
			return nil, err
		}
		dockerAnswers = d.Answers
		r.add(d, strings.TrimPrefix(host, "unix://"))
	}
	if address := c.String("containerd-address"); scheme != "docker" && (c.IsSet("containerd-address") || socketThere(address)) {
		d, err := openContainerd(c, dockerAnswers)
		if err != nil {
			return nil, err
		}
		r.add(d, address)
	}
	if err := r.withCRI(c, scheme); err != nil {
		return nil, err
	}
	if len(r.list) == 0 && (scheme == "pod" || scheme == "") {
		if cluster, err := r.cluster(); err == nil { // a workstation
			r.add(cluster, "")
		}
	}
	if len(r.list) == 0 {
		return nil, fmt.Errorf("no container runtime is found: neither %s nor %s nor %s is there; name one with --containerd-address, --docker-host or --cri-endpoint, or a cluster with --kubeconfig",
			c.String("containerd-address"), c.String("docker-host"), c.String("cri-endpoint"))
	}
	return r, nil
}

// withCluster adds the cluster to the runtimes here where the user has named
// one.
func (r *runtimes) withCluster(c *cli.Context) error {
	if c.String("kubeconfig") == "" && os.Getenv("KUBECONFIG") == "" || r.onlyCluster() {
		return nil
	}
	cluster, err := r.cluster()
	if err != nil {
		return err
	}
	r.add(cluster, "")
	return nil
}

// onlyCluster reports whether there is no runtime here but the cluster's API.
func (r *runtimes) onlyCluster() bool { return len(r.list) == 1 && r.list[0].Name() == kube.Name }

// newRuntimes opens none.
func newRuntimes(c *cli.Context) *runtimes {
	return &runtimes{cluster: sync.OnceValues(func() (*kube.Cluster, error) {
		return kube.New(kube.Options{Kubeconfig: c.String("kubeconfig"), Context: c.String("context")})
	})}
}

// pod gives a pod as the API server has it; on a node, as the workstation has
// read it.
func (r *runtimes) pod(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	if node != nil && node.Pod != nil && node.Pod.Namespace == namespace && node.Pod.Name == name {
		return node.Pod, nil
	}
	cluster, err := r.cluster()
	if err != nil {
		return nil, err
	}
	return cluster.Pod(ctx, namespace, name)
}

func (r *runtimes) add(rt container.Runtime, socket string) {
	r.list = append(r.list, rt)
	if socket != "" {
		r.sockets = append(r.sockets, socket)
	}
}

func openContainerd(c *cli.Context, dockerAnswers func() bool) (container.Runtime, error) {
	options := []containerd.Option{containerd.MobyUnless(dockerAnswers)}
	dir := defaultState
	if d := c.String("containerd-state"); d != "" {
		dir = d
		options = append(options, containerd.StateDir(d))
	}
	live, err := containerd.New(c.Context, c.String("containerd-address"), options...)
	if err != nil {
		return nil, err
	}
	return &orState{Runtime: live, state: containerd.FromState(dir)}, nil
}

// defaultState is where containerd keeps its state unless it is told otherwise.
const defaultState = "/run/containerd"

// orState is a containerd; where it does not answer, what it left on the disk
// still tells which containers there are, so that they can be frozen by their
// cgroups and collected.
type orState struct {
	*containerd.Runtime
	state container.Runtime
	once  sync.Once
}

func (o *orState) List(ctx context.Context) ([]container.Container, error) {
	list, err := o.Runtime.List(ctx)
	return fromState(o, list, err, func() ([]container.Container, error) { return o.state.List(ctx) })
}

func (o *orState) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	list, err := o.Runtime.Find(ctx, t)
	return fromState(o, list, err, func() ([]container.Container, error) { return o.state.Find(ctx, t) })
}

func (o *orState) Get(ctx context.Context, c container.Container) (container.Container, error) {
	got, err := o.Runtime.Get(ctx, c)
	return fromState(o, got, err, func() (container.Container, error) { return o.state.Get(ctx, c) })
}

// fromState gives what the daemon answered, or where it did not answer what
// its state directory says. A container that is not there is an answer.
func fromState[T any](o *orState, got T, err error, instead func() (T, error)) (T, error) {
	var unknown *container.NotFoundError
	if err == nil || errors.As(err, &unknown) || errors.Is(err, context.Canceled) {
		return got, err
	}
	found, stateErr := instead()
	if stateErr != nil {
		return got, err
	}
	o.once.Do(func() {
		fmt.Fprintln(os.Stderr, "amber: "+safeLines(err.Error())+"; going by its state directory")
	})
	return found, nil
}

func (r *runtimes) close() {
	for _, rt := range r.list {
		_ = rt.Close()
	}
}

// of gives the runtime that runs a container.
func (r *runtimes) of(c container.Container) container.Runtime {
	for _, rt := range r.list {
		if rt.Name() == c.Runtime {
			return rt
		}
	}
	return nil
}

func (r *runtimes) freezer(c container.Container) container.Freezer {
	f, _ := r.of(c).(container.Freezer)
	return f
}

// freezeMethod makes the method as a command's flags want it.
func (r *runtimes) freezeMethod(c *cli.Context) (*freeze.Method, error) {
	by := freeze.By(c.String("freeze-by"))
	if by != "" && by != freeze.ByRuntime && by != freeze.ByCgroup {
		return nil, usagef("--freeze-by %q: want runtime or cgroup", by)
	}
	var siblings func(context.Context, container.Container) ([]container.Container, error)
	if c.Command.Name == "verify" { // nothing waits for the answer
		siblings = r.siblings
	}
	return freeze.New(r.freezer, freeze.Options{By: by, Timeout: c.Duration("freeze-timeout"), Self: critical.Self{Sockets: r.sockets}, Siblings: siblings}), nil
}

func (r *runtimes) siblings(ctx context.Context, c container.Container) ([]container.Container, error) {
	rt := r.of(c)
	if rt == nil {
		return nil, errors.New("there is no runtime to ask")
	}
	return container.Siblings(ctx, rt, c)
}

// target finds what the user named, and with a container of a pod the others
// of that pod, for they are held together.
func (r *runtimes) target(ctx context.Context, t container.Target) (named []container.Container, hold isolate.Target, err error) {
	named, warnings, err := container.Resolve(ctx, r.list, t)
	if unknown := (*container.NotFoundError)(nil); errors.As(err, &unknown) && t.Scheme == "pod" && !r.onlyCluster() {
		named, warnings, err = r.elsewhere(ctx, t, err)
	}
	for _, w := range warnings {
		fmt.Fprintln(os.Stderr, "amber: "+safeLines(w.Error()))
	}
	if err != nil {
		return nil, hold, err
	}
	hold = isolate.Target{Name: t.String(), Containers: named}
	if len(named) == 1 && named[0].Pod != nil {
		others, err := container.Siblings(ctx, r.of(named[0]), named[0])
		if err != nil {
			return nil, hold, fmt.Errorf("finding the other containers of pod %s: %w", named[0].Pod.Name, err)
		}
		hold.Containers = append(hold.Containers[:1:1], others...)
	}
	return named, hold, nil
}

// elsewhere looks for a pod that is on no runtime here in the cluster.
func (r *runtimes) elsewhere(ctx context.Context, t container.Target, notHere error) ([]container.Container, []error, error) {
	cluster, err := r.cluster()
	if err != nil {
		return nil, nil, notHere
	}
	named, warnings, err := container.Resolve(ctx, []container.Runtime{cluster}, t)
	if err == nil {
		r.add(cluster, "")
	}
	return named, warnings, err
}

func socketThere(address string) bool {
	path, ok := strings.CutPrefix(address, "unix://")
	if !ok && strings.Contains(address, "://") {
		return true // tcp and the like: only a call can tell
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}
