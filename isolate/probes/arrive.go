package probes

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"
)

// arrives works out what a server sees of an HTTP probe: the request target,
// and those headers that the pod's specification names. It makes the request
// as kubelet does (pkg/probe/http/request.go), because paths are cleaned and
// host names encoded on the way. What kubelet could not send either comes as
// it is written.
func arrives(h *corev1.HTTPGetAction) (target string, headers http.Header) {
	headers = http.Header{}
	for _, kv := range h.HTTPHeaders {
		headers.Add(kv.Name, kv.Value)
	}
	if headers.Get("Accept") == "" { // asks kubelet to send none
		headers.Del("Accept")
	}
	r, err := overTheWire(h.Path, headers)
	if err != nil {
		return h.Path, headers
	}
	seen := http.Header{}
	for name := range headers {
		if v := r.Header[name]; len(v) > 0 && name != hostHeader {
			seen[name] = v
		}
	}
	if headers.Get(hostHeader) != "" {
		seen[hostHeader] = []string{r.Host}
	}
	return r.RequestURI, seen
}

const hostHeader = "Host"

// overTheWire writes a GET request to some pod and reads it again.
func overTheWire(path string, headers http.Header) (*http.Request, error) {
	u, err := url.Parse(path)
	if err != nil {
		u = &url.URL{Path: path}
	}
	u.Scheme, u.Host = viaHTTP, "pod"
	r, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header, r.Host = headers, headers.Get(hostHeader)
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		return nil, err
	}
	return http.ReadRequest(bufio.NewReader(&wire))
}
