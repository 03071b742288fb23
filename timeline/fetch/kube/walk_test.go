package kube

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"amber/timeline/fetch"
)

// fakeAPI has a list of three pages whose token expires once, as it does after
// five minutes, and pods whose names lead elsewhere.
type fakeAPI struct{ expire bool }

func (f *fakeAPI) Open(_ context.Context, o Object, q url.Values) (io.ReadCloser, error) {
	page := 0
	_, _ = fmt.Sscan(q.Get("continue"), &page)
	if f.expire && page == 2 {
		f.expire = false
		return nil, &fetch.Refused{Status: 410, Code: "Expired"}
	}
	if o.Sub == "log" {
		if o.Name == "gone" {
			return nil, &fetch.Refused{Status: 404, Code: "NotFound"}
		}
		return io.NopCloser(strings.NewReader("2026-11-22T12:00:00Z a line\n")), nil
	}
	next := fmt.Sprint(page + 1)
	if page == 2 {
		next = ""
	}
	name := []string{"web", "../web", "gone"}[page]
	return io.NopCloser(strings.NewReader(fmt.Sprintf(`{"metadata":{"continue":%q},"items":[{"metadata":{"name":%q,"namespace":"shop","uid":"u"},"status":{"containerStatuses":[{"name":"main"}]}}]}`, next, name))), nil
}

// A walk whose token expires is begun again; no name leads out of the fetch.
func TestWalk(t *testing.T) {
	span := fetch.Span{Since: time.Unix(0, 0), Until: time.Now()}
	o := &Origin{API: &fakeAPI{expire: true}, Span: span}
	opened, err := fetch.Create(t.TempDir(), fetch.Request{Origin: "kube"}, span, o.Plan(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	r, err := opened.Run(context.Background(), o, fetch.Options{})
	if err != nil || !r.Complete || r.Missed != 2 || r.Put != 2 || r.Records != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Join(opened.Dir, "raw/pods/shop_web_u/main/0.log")); err != nil {
		t.Error(err)
	}
}

func FuzzLogs(f *testing.F) {
	f.Add([]byte(`{"items":[{"metadata":{"name":"../x","namespace":"n","uid":"u"},"status":{"containerStatuses":[{"name":"c","restartCount":-5}]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		logs, _ := logsIn(data)
		for _, l := range logs {
			if l.plain() && (!filepath.IsLocal(l.file()) || strings.Count(l.file(), "/") != 4) {
				t.Errorf("%q", l.file())
			}
		}
	})
}
