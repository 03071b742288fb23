package container_test

import (
	"testing"

	"amber/container"
)

func TestParseTarget(t *testing.T) {
	for _, test := range []struct {
		in   string
		want container.Target
	}{
		{"web", container.Target{ID: "web"}},
		{"containerd://k8s.io/0123", container.Target{Scheme: "containerd", Namespace: "k8s.io", ID: "0123"}},
		{"docker://abc", container.Target{Scheme: "docker", ID: "abc"}},
		{"cri://abc", container.Target{Scheme: "cri", ID: "abc"}},
		{"pod/shop/web-1", container.Target{Scheme: "pod", Namespace: "shop", Pod: "web-1"}},
		{"pod/shop/web-1/app", container.Target{Scheme: "pod", Namespace: "shop", Pod: "web-1", Container: "app"}},
		{"offline:///mnt/disk#abc", container.Target{Scheme: "offline", Root: "/mnt/disk", ID: "abc"}},
	} {
		got, err := container.ParseTarget(test.in)
		if err != nil || got != test.want {
			t.Errorf("%q: %+v, %v", test.in, got, err)
		}
		if got.String() != test.in {
			t.Errorf("%q is written %q", test.in, got)
		}
	}
	for _, bad := range []string{
		"", "a/b", "containerd://", "containerd://ns", "containerd:///id", "containerd://ns/", "containerd://a/b/c", "containerd://a\x1b[31m/b", "containerd://a/b\n", "containerd://a/\xff",
		"docker://", "docker://a/b", "cri://", "pod/", "pod/a", "pod//b", "pod/a/", "pod/a/b/c/d", "pod/a/b/",
		"offline://x", "offline://#x", "offline://x#", "ftp://x", "://x",
	} {
		if got, err := container.ParseTarget(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, got)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"web", "containerd://ns/id", "docker://x", "pod/a/b/c", "offline:///m#i", "://", "pod//", "a://b://c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := container.ParseTarget(s)
		if err != nil {
			return
		}
		again, err := container.ParseTarget(target.String())
		if err != nil || again != target {
			t.Errorf("%q is %+v, written %q, read again %+v, %v", s, target, target.String(), again, err)
		}
		target.Matches(container.Container{})
	})
}
