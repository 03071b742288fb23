package sigma

import (
	"testing"

	"amber/timeline"
	"amber/timeline/detect/fields"
	"amber/timeline/source/access"
	"amber/timeline/source/containerlog"
)

const asked = `203.0.113.9 - jane [22/Nov/2026:13:05:01 +0000] "GET /cgi-bin/status?host=a%3Bid HTTP/1.1" 200 612 "https://shop.example/" "curl/8.14.1"` + "\n"

// Rules of the category webserver are evaluated on servers' logs, and on what
// containers say of requests; other lines of theirs are none.
func TestWebserver(t *testing.T) {
	logs := map[string]struct {
		src timeline.Source
		log string
	}{
		"a server":    {access.Source(), asked},
		"a container": {containerlog.Source{}, "2026-11-22T13:05:01.1Z stdout F " + asked},
	}
	for selection, want := range map[string]bool{
		"cs-method: GET":                 true,
		"cs-method: POST":                false,
		"cs-uri-stem: /cgi-bin/status":   true,
		"cs-uri-stem|contains: host":     false,
		"cs-uri-query|startswith: host=": true,
		"cs-uri-query|contains: cgi-bin": true,
		"c-uri|contains: '%3Bid'":        true,
		"sc-status: 200":                 true,
		"sc-status: 404":                 false,
		"cs-user-agent|contains: curl":   true,
		"cs-referer|contains: shop":      true,
		"c-ip|cidr: 203.0.113.0/24":      true,
		"cs-username: jane":              true,
		"cs-username: joe":               false,
		"http.request.method: GET":       true,
	} {
		rule := "title: x\nid: 6b1f6a3c-0c39-4d3f-9e63-6a1b5c7d8e90\nlogsource:\n  category: webserver\ndetection:\n  s:\n    " + selection + "\n  condition: s\n"
		m := only(t, rule)
		for name, l := range logs {
			hit := false
			reads(t, l.src, l.log, func(v *fields.View) { hit = hit || m.Match(v) })
			if hit != want {
				t.Errorf("%s, %s: %v", name, selection, hit)
			}
		}
	}
}

func TestAfterHost(t *testing.T) {
	for path, want := range map[string]string{"/a/b": "/a/b", "https://shop.example:443/a/b": "/a/b", "https://shop.example": "", "/go/https://x/y": "/go/https://x/y", "": ""} {
		if got := string(afterHost([]byte(path))); got != want {
			t.Errorf("%q: %q", path, got)
		}
	}
}
