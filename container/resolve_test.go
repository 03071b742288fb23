package container_test

import (
	"context"
	"errors"
	"testing"

	"amber/container"
)

// fixed is a runtime with a fixed list, or one that does not answer: the rules
// of Resolve are about what runtimes say, not about runtimes.
type fixed struct {
	name string
	list []container.Container
	err  error
}

func (f fixed) Name() string                                        { return f.name }
func (f fixed) Close() error                                        { return nil }
func (f fixed) List(context.Context) ([]container.Container, error) { return f.list, f.err }
func (f fixed) Get(_ context.Context, c container.Container) (container.Container, error) {
	return c, f.err
}

func (f fixed) Find(_ context.Context, t container.Target) ([]container.Container, error) {
	var found []container.Container
	for _, c := range f.list {
		if t.Matches(c) {
			found = append(found, c)
		}
	}
	return found, f.err
}

func podContainer(id, name, uid string, state container.State) container.Container {
	return container.Container{
		Runtime: "containerd", Namespace: "k8s.io", ID: id, Name: name, State: state,
		Pod: &container.Pod{Namespace: "shop", Name: "web", UID: uid, Container: name},
	}
}

var node = []container.Runtime{
	fixed{name: "containerd", list: []container.Container{
		{Runtime: "containerd", Namespace: "default", ID: "web"},
		{Runtime: "containerd", Namespace: "default", ID: "twin"},
		{Runtime: "containerd", Namespace: "other", ID: "twin"},
		{Runtime: "containerd", Namespace: "moby", ID: "0123456789abcdef"},
		{Runtime: "containerd", Namespace: "default", ID: "prefix-of-one"},
		{Runtime: "containerd", Namespace: "default", ID: "prefix-of-one-more"},
		podContainer("p1", "app", "u1", container.Running),
		podContainer("p2", "app", "u1", container.Stopped),
		podContainer("p3", "sidecar", "u1", container.Running),
	}},
	fixed{name: "docker", list: []container.Container{{Runtime: "docker", ID: "0123456789abcdef", Name: "shop"}}},
	fixed{name: "dead", err: errors.New("dead at /run/dead.sock")},
}

func TestResolve(t *testing.T) {
	for _, test := range []struct{ target, want string }{
		{"web", "containerd://default/web"},
		{"containerd://other/twin", "containerd://other/twin"},
		{"shop", "docker://0123456789abcdef"},
		{"01234567", "docker://0123456789abcdef"},
		{"0123456789abcdef", "docker://0123456789abcdef"},
		{"containerd://moby/0123456789abcdef", "docker://0123456789abcdef"},
		{"prefix-of-one", "containerd://default/prefix-of-one"},
		{"app", "containerd://k8s.io/p1"},
		{"pod/shop/web", "containerd://k8s.io/p1 containerd://k8s.io/p3"},
		{"pod/shop/web/app", "containerd://k8s.io/p1"},
		{"twin", "ambiguous: containerd://default/twin containerd://other/twin"},
		{"prefix-of", "ambiguous: containerd://default/prefix-of-one containerd://default/prefix-of-one-more"},
		{"none", "not found, of 9"},
		{"0123456", "not found, of 9"},
		{"pod/shop/none", "not found, of 9"},
		{"docker://twin", "not found, of 9"},
	} {
		if got := resolve(t, test.target); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.target, got, test.want)
		}
	}
}

func resolve(t *testing.T, target string) string {
	t.Helper()
	parsed, err := container.ParseTarget(target)
	if err != nil {
		t.Fatal(err)
	}
	found, warnings, err := container.Resolve(context.Background(), node, parsed)
	if len(warnings) != 1 {
		t.Errorf("%s: warnings %v, want that of the dead one", target, warnings)
	}
	var ambiguous *container.AmbiguousError
	var none *container.NotFoundError
	switch {
	case errors.As(err, &ambiguous):
		return "ambiguous: " + refs(ambiguous.Candidates)
	case errors.As(err, &none) && len(none.Candidates) == 9:
		return "not found, of 9"
	case err != nil:
		t.Fatal(err)
	}
	return refs(found)
}

func refs(list []container.Container) string {
	s := ""
	for _, c := range list {
		s += " " + c.Ref()
	}
	return s[min(1, len(s)):]
}

func TestResolveWithoutAnAnswer(t *testing.T) {
	_, _, err := container.Resolve(context.Background(), []container.Runtime{node[2]}, container.Target{ID: "web"})
	var none *container.NotFoundError
	if err == nil || errors.As(err, &none) {
		t.Errorf("no runtime answers and the error is %v", err)
	}
}

func TestNearestCandidatesComeFirst(t *testing.T) {
	_, _, err := container.Resolve(context.Background(), node, container.Target{ID: "sho"})
	var none *container.NotFoundError
	if !errors.As(err, &none) || none.Candidates[0].Name != "shop" {
		t.Errorf("got %v", err)
	}
}

func TestAll(t *testing.T) {
	all, warnings := container.All(context.Background(), node)
	if len(all) != 9 || len(warnings) != 1 {
		t.Errorf("%d containers, warnings %v", len(all), warnings)
	}
}

// A node sees its pods by its runtime, which knows their processes, and not a
// second time by the API; those of other nodes by the API alone.
func TestUniqueOfAClusterAndANode(t *testing.T) {
	api := func(id, pod, uid, name string) container.Container {
		return container.Container{Runtime: "kube", ID: id, Pod: &container.Pod{Namespace: "shop", Name: pod, UID: uid, Container: name}}
	}
	sandbox := podContainer("p0", "", "u1", container.Running)
	sandbox.Pod.Sandbox = true
	here := fixed{name: "containerd", list: []container.Container{sandbox, podContainer("p1", "app", "u1", container.Running), podContainer("p9", "restarted", "u1", container.Running)}}
	cluster := fixed{name: "kube", list: []container.Container{
		api("p1", "web", "u1", "app"), api("p3", "web", "u1", "restarted"), api("", "web", "u1", "waiting"),
		api("p5", "web-2", "u2", "app"), api("", "web-2", "u2", "waiting"), api("", "web-3", "", "a"), api("", "web-3", "", "b"),
	}}
	all, warnings := container.All(context.Background(), []container.Runtime{here, cluster})
	want := "containerd://k8s.io/p0 containerd://k8s.io/p1 containerd://k8s.io/p9 pod/shop/web/waiting pod/shop/web-2/app pod/shop/web-2/waiting pod/shop/web-3/a pod/shop/web-3/b"
	if got := refs(all); got != want || len(warnings) > 0 {
		t.Errorf("got  %s\nwant %s\n%v", got, want, warnings)
	}
	for _, c := range all {
		if c.Pod.Sandbox {
			continue
		}
		target, err := container.ParseTarget(c.Ref())
		if err != nil || target.String() != c.Ref() || !target.Matches(c) {
			t.Errorf("%s is read as %q (%v), which means it: %v", c.Ref(), target, err, target.Matches(c))
		}
	}
}
