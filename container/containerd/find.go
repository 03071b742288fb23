package containerd

import (
	"context"
	"regexp"
	"strconv"
	"sync"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errgrpc"

	"amber/container"
)

// List gives the containers of all namespaces.
func (r *Runtime) List(ctx context.Context) ([]container.Container, error) {
	return r.inAll(ctx, r.list)
}

// Find asks for what a target can mean and no more: one call where it names
// namespace and id, and never for images or content.
func (r *Runtime) Find(ctx context.Context, t container.Target) ([]container.Container, error) {
	switch t.Scheme {
	case "containerd":
		if !r.shows(t.Namespace) {
			return nil, nil
		}
		return r.findIn(ctx, t.Namespace, t)
	case "cri":
		return r.findIn(ctx, kubernetes, t)
	case "", "pod":
		return r.inAll(ctx, func(ctx context.Context, ns string) ([]container.Container, error) {
			return r.matching(ctx, ns, t)
		})
	}
	return nil, nil
}

// kubernetes is the namespace of containerd's CRI plugin.
const kubernetes = "k8s.io"

// findIn tries the exact id first.
func (r *Runtime) findIn(ctx context.Context, ns string, t container.Target) ([]container.Container, error) {
	c, err := r.byID(ctx, ns, t.ID)
	switch {
	case err == nil:
		return []container.Container{c}, nil
	case !errdefs.IsNotFound(err):
		return nil, r.failed("asking for container "+ns+"/"+t.ID, err)
	}
	return r.matching(ctx, ns, t)
}

// byID asks for a container's record and its task at the same time.
func (r *Runtime) byID(ctx context.Context, ns, id string) (container.Container, error) {
	ctx = namespaces.WithNamespace(ctx, ns)
	var (
		wg      sync.WaitGroup
		process *task.Process
		taskErr error
	)
	wg.Go(func() { process, taskErr = r.process(ctx, id) })
	rec, err := r.client.ContainerService().Get(ctx, id)
	var c container.Container
	if err == nil {
		c = asRecorded(ns, rec) // while the task is waited for
	}
	wg.Wait()
	if err != nil {
		return container.Container{}, err
	}
	if taskErr != nil {
		return container.Container{}, taskErr
	}
	return running(c, process), nil
}

// process is a container's task, nil where it has none.
func (r *Runtime) process(ctx context.Context, id string) (*task.Process, error) {
	resp, err := r.client.TaskService().Get(ctx, &tasksapi.GetRequest{ContainerID: id})
	if err = errgrpc.ToNative(err); errdefs.IsNotFound(err) {
		return nil, nil
	}
	return resp.GetProcess(), err
}

// matching lets the daemon filter, so that a node of five hundred containers
// sends the records of those that match alone.
func (r *Runtime) matching(ctx context.Context, ns string, t container.Target) ([]container.Container, error) {
	ctx = namespaces.WithNamespace(ctx, ns)
	named := r.ahead(ctx, t.ID)
	recs, err := r.client.ContainerService().List(ctx, filters(t)...)
	if err != nil {
		return nil, r.failed("looking for containers in "+ns, err)
	}
	var found []container.Container
	for _, rec := range recs {
		if c := fromRecord(ns, rec, nil); !t.Matches(c) {
			continue
		}
		ask := r.process
		if rec.ID == t.ID {
			ask = named
		}
		process, err := ask(ctx, rec.ID)
		if err != nil {
			return nil, r.failed("asking for task "+ns+"/"+rec.ID, err)
		}
		found = append(found, fromRecord(ns, rec, process))
	}
	return found, nil
}

// ahead asks for the task of what is most often meant, the container of that
// very id, while the records are looked for.
func (r *Runtime) ahead(ctx context.Context, id string) func(context.Context, string) (*task.Process, error) {
	if id == "" {
		return r.process
	}
	type answer struct {
		process *task.Process
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		process, err := r.process(ctx, id)
		got <- answer{process, err}
	}()
	return func(context.Context, string) (*task.Process, error) {
		a := <-got
		return a.process, a.err
	}
}

// filters says in containerd's filter language what t can mean; the filters
// are alternatives.
func filters(t container.Target) []string {
	if t.Scheme == "pod" {
		return []string{label(labelPodNamespace, t.Namespace) + "," + label(labelPodName, t.Pod)}
	}
	alternatives := []string{"id==" + strconv.Quote(t.ID)}
	for _, l := range nameLabels {
		alternatives = append(alternatives, label(l, t.ID))
	}
	if len(t.ID) >= 8 {
		alternatives = append(alternatives, "id~="+strconv.Quote("^"+regexp.QuoteMeta(t.ID)))
	}
	return alternatives
}

func label(name, value string) string {
	return "labels." + strconv.Quote(name) + "==" + strconv.Quote(value)
}

// inAll runs look for every namespace at once.
func (r *Runtime) inAll(ctx context.Context, look func(context.Context, string) ([]container.Container, error)) ([]container.Container, error) {
	names, err := r.namespaces(ctx)
	if err != nil {
		return nil, err
	}
	found, errs := make([][]container.Container, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, ns := range names {
		wg.Go(func() { found[i], errs[i] = look(ctx, ns) })
	}
	wg.Wait()
	var all []container.Container
	for i := range names {
		if errs[i] != nil {
			return nil, errs[i]
		}
		all = append(all, found[i]...)
	}
	return all, nil
}

// list joins the containers, tasks and images of a namespace.
func (r *Runtime) list(ctx context.Context, ns string) ([]container.Container, error) {
	ctx = namespaces.WithNamespace(ctx, ns)
	var (
		wg                sync.WaitGroup
		processes         map[string]*task.Process
		digests           map[string]string
		taskErr, imageErr error
	)
	wg.Go(func() { processes, taskErr = r.processes(ctx) })
	wg.Go(func() { digests, imageErr = r.digests(ctx) })
	recs, err := r.client.ContainerService().List(ctx)
	wg.Wait()
	for _, err := range []error{err, taskErr} {
		if err != nil {
			return nil, r.failed("listing namespace "+ns, err)
		}
	}
	var all []container.Container
	for _, rec := range recs {
		c := fromRecord(ns, rec, processes[rec.ID])
		c.Image.Digest = digests[c.Image.Ref]
		if imageErr != nil {
			c.Notes = append(c.Notes, "image digest: "+imageErr.Error())
		}
		all = append(all, c)
	}
	return all, nil
}

func (r *Runtime) processes(ctx context.Context) (map[string]*task.Process, error) {
	resp, err := r.client.TaskService().List(ctx, &tasksapi.ListTasksRequest{})
	if err != nil {
		return nil, err
	}
	m := make(map[string]*task.Process, len(resp.GetTasks()))
	for _, p := range resp.GetTasks() {
		id := p.GetContainerID()
		if id == "" { // containerd fills in ID alone
			id = p.GetID()
		}
		m[id] = p
	}
	return m, nil
}

func (r *Runtime) digests(ctx context.Context) (map[string]string, error) {
	imgs, err := r.client.ImageService().List(ctx)
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(imgs))
	for _, i := range imgs {
		m[i.Name] = i.Target.Digest.String()
	}
	return m, nil
}
