package kube_test

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	adapter "amber/container/kube"
	"amber/container/kube/kubetest"
	"amber/testdata/testbed"
	"amber/timeline/fetch"
	"amber/timeline/fetch/kube"
)

// api is a real cluster's.
type api struct {
	cluster *adapter.Cluster
	asked   *[]string
}

func (a api) Open(ctx context.Context, o kube.Object, q url.Values) (io.ReadCloser, error) {
	*a.asked = append(*a.asked, adapter.Object(o).String()+"?"+q.Encode())
	body, wait, err := a.cluster.Open(ctx, adapter.Object(o), q)
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		s := status.Status()
		return nil, &fetch.Refused{Call: o.Resource, Status: int(s.Code), Code: string(s.Reason), Message: s.Message, Wait: wait}
	}
	return body, err
}

// pod says a line, and ends the first time, so that it is started again.
const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"NAME"},"spec":{"containers":[{
 "name":"main","image":"IMAGE","imagePullPolicy":"Never",
 "command":["/bin/busybox","sh","-c","if [ -e /x/was ]; then echo the second run; exec sleep 1000; fi; touch /x/was; echo the first run"],
 "volumeMounts":[{"name":"x","mountPath":"/x"}]}],"volumes":[{"name":"x","emptyDir":{}}]}}`

// TestFetch reads Events and logs of a real cluster, also of a container that
// was started again, with a fetch that is cut off at each call.
func TestFetch(t *testing.T) {
	s := kubetest.Start(t)
	ns := s.Namespace(t)
	for _, name := range []string{"one", "two"} {
		text := strings.NewReplacer("NAME", name, "IMAGE", testbed.BusyboxImage).Replace(pod)
		s.Do(t, "POST", adapter.Object{Version: "v1", Resource: "pods", Namespace: ns}, text)
	}
	since := time.Now().Add(-time.Hour)
	s.Await(t, "both containers in their second run", func() bool {
		return strings.Contains(logOf(s, ns, "one"), "second") && strings.Contains(logOf(s, ns, "two"), "second")
	})
	span := fetch.Span{Since: since, Until: time.Now()}
	var asked []string
	origin := func() *kube.Origin {
		return &kube.Origin{API: api{s.API, &asked}, Span: span, Namespaces: []string{ns}, PageSize: 1}
	}
	opened, err := fetch.Create(t.TempDir(), fetch.Request{Origin: "kube"}, span, origin().Plan(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r := fetch.Report{}
	for range 200 { // one call each
		ctx, stop := context.WithCancel(context.Background())
		r, err = opened.Run(ctx, origin(), fetch.Options{Progress: func(fetch.Report, string) { stop() }})
		stop()
		if r.Complete {
			break
		}
	}
	if err != nil || !r.Complete || r.Missed != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	slices.Sort(asked)
	if unique := slices.Compact(slices.Clone(asked)); len(unique) != len(asked) {
		t.Errorf("asked twice: %q", asked)
	}
	for _, want := range []string{"one", "two"} {
		for n, line := range []string{"the first run", "the second run"} {
			files, _ := filepath.Glob(filepath.Join(opened.Dir, "raw/pods", ns+"_"+want+"_*", "main", []string{"0", "1"}[n]+".log"))
			if len(files) != 1 {
				t.Fatalf("%s, restart %d: files %q", want, n, files)
			}
			if data, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(data), "Z "+line+"\n") {
				t.Errorf("%s: %q, %v", files[0], data, err)
			}
		}
	}
	events, _ := filepath.Glob(filepath.Join(opened.Dir, "raw/events/*.json"))
	pods, _ := filepath.Glob(filepath.Join(opened.Dir, "asked/pods/*.json"))
	if len(events) < 4 || len(pods) != 2 {
		t.Errorf("%d pages of events, %d of pods", len(events), len(pods))
	}
}

func logOf(s *kubetest.Server, ns, pod string) string {
	body, _, err := s.API.Open(context.Background(), adapter.Object{Version: "v1", Resource: "pods", Namespace: ns, Name: pod, Sub: "log"}, nil)
	if err != nil {
		return ""
	}
	defer body.Close()
	data, _ := io.ReadAll(body)
	return string(data)
}
