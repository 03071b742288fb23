package containerd

import (
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/typeurl/v2"
	"google.golang.org/protobuf/types/known/anypb"

	"amber/container"
)

// FuzzRecord: labels, spec and extensions may come from an image.
func FuzzRecord(f *testing.F) {
	f.Add("ns", "name", "uid", "app", "/var/lib/nerdctl/x", []byte(`{"ociVersion":"1"}`), []byte(`{"Metadata":{"LogPath":"/var/log/x/0.log"}}`))
	f.Add("..", "../..", "/", "..", "/etc", []byte(`{`), []byte(`{"Metadata":{"LogPath":"../x"}}`))
	f.Fuzz(func(t *testing.T, ns, name, uid, app, dir string, spec, metadata []byte) {
		rec := containers.Container{ID: "the-id", Labels: map[string]string{
			labelPodNamespace: ns, labelPodName: name, labelPodUID: uid, labelContainer: app, labelNerdctlDir: dir,
		}, Spec: &anypb.Any{Value: spec}}
		c := fromRecord("k8s.io", rec, nil)
		if c.Ref() != "containerd://k8s.io/the-id" {
			t.Errorf("ref %q", c.Ref())
		}
		if got := criLogDir(rec); got != "" && (!strings.HasPrefix(got, podLogs+"/") || strings.Count(got, "/") != 5) {
			t.Errorf("logs are looked for in %q", got)
		}
		rec.Extensions = map[string]typeurl.Any{criMetadata: &anypb.Any{Value: metadata}}
		if got := criLogDir(rec); got != "" && !strings.HasPrefix(got, "/") {
			t.Errorf("logs are looked for in %q", got)
		}
		if got := nerdctlLogDir(rec); got != "" && !strings.HasSuffix(got, "/the-id") {
			t.Errorf("logs are looked for in %q", got)
		}
	})
}

func TestHandlers(t *testing.T) {
	for handler, want := range map[string]string{
		"io.containerd.runc.v2": "", "io.containerd.runsc.v1": "gVisor", "io.containerd.kata.v2": "Kata",
		"io.containerd.kata-qemu.v2": "Kata",
	} {
		c := fromRecord("default", containers.Container{Runtime: containers.RuntimeInfo{Name: handler}, Spec: &anypb.Any{Value: []byte("{}")}}, nil)
		if got := strings.Join(c.Notes, "\n"); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: notes %q", handler, got)
		}
	}
}

func TestFiltersQuote(t *testing.T) {
	for _, id := range []string{`a"b`, `x,labels.y`, `.*.*.*.*`, `\`, "a\nb"} {
		for _, f := range filters(container.Target{ID: id}) {
			if strings.ContainsAny(strings.Trim(f[strings.Index(f, "=")+1:], "=\""), "\n") {
				t.Errorf("filter %q", f)
			}
		}
	}
}
