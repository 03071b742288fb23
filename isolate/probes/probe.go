package probes

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"amber/evidence/safetext"
)

// What a probe is for, and how it asks.
const (
	liveness  = "liveness"
	startup   = "startup"
	readiness = "readiness"

	viaHTTP  = "http"
	viaHTTPS = "https"
	viaTCP   = "tcp"
	viaGRPC  = "grpc"
	viaExec  = "exec"
)

// probe is one probe of one container, as kubelet sends it.
type probe struct {
	Container string        `json:"container"`
	Kind      string        `json:"kind"`
	Via       string        `json:"via"`
	Port      uint16        `json:"port,omitempty"`    // 0 where kubelet could not tell it either
	Target    string        `json:"target,omitempty"`  // HTTP: the request target, path and query
	Headers   http.Header   `json:"headers,omitempty"` // HTTP: as they arrive, of those that the pod's specification names, Host among them
	Service   string        `json:"service,omitempty"` // gRPC
	Host      string        `json:"host,omitempty"`    // asked instead of the pod
	Lasts     time.Duration `json:"lasts"`             // failureThreshold × periodSeconds
	Grace     time.Duration `json:"grace"`             // from then to SIGKILL
	Failures  int32         `json:"failures"`          // failureThreshold
}

// String says which probe it is; what the pod's author wrote is made safe.
func (p probe) String() string {
	s := fmt.Sprintf("%s probe of %s", p.Kind, safetext.Line(p.Container))
	switch {
	case p.Via == viaExec:
		return s + " (exec)"
	case p.Via == viaGRPC && p.Service != "":
		return fmt.Sprintf("%s (grpc :%d, service %s)", s, p.Port, safetext.Line(p.Service))
	}
	return fmt.Sprintf("%s (%s :%d%s)", s, p.Via, p.Port, safetext.Line(p.Target))
}

// live reports whether kubelet restarts the container when the probe fails.
func (p probe) live() bool { return p.Kind != readiness }

// probesOf are all probes of a pod's containers, restartable init containers
// (sidecars) among them.
func probesOf(pod *corev1.Pod) []probe {
	var all []probe
	for _, c := range slices.Concat(sidecars(pod), pod.Spec.Containers) {
		for _, k := range []struct {
			kind string
			p    *corev1.Probe
		}{{startup, c.StartupProbe}, {liveness, c.LivenessProbe}, {readiness, c.ReadinessProbe}} {
			if k.p == nil {
				continue
			}
			p := probe{Container: c.Name, Kind: k.kind, Lasts: lasts(k.p), Grace: grace(pod, k.p), Failures: threshold(k.p)}
			p.ask(c, k.p.ProbeHandler)
			all = append(all, p)
		}
	}
	return all
}

func sidecars(pod *corev1.Pod) []corev1.Container {
	var all []corev1.Container
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			all = append(all, c)
		}
	}
	return all
}

// ask fills in how the probe asks, as kubelet's prober works it out.
func (p *probe) ask(c corev1.Container, h corev1.ProbeHandler) {
	switch {
	case h.HTTPGet != nil:
		p.Via = viaHTTP
		if strings.EqualFold(string(h.HTTPGet.Scheme), viaHTTPS) {
			p.Via = viaHTTPS
		}
		p.Port, p.Host = portOf(c, h.HTTPGet.Port), h.HTTPGet.Host
		p.Target, p.Headers = arrives(h.HTTPGet)
	case h.TCPSocket != nil:
		p.Via, p.Port, p.Host = viaTCP, portOf(c, h.TCPSocket.Port), h.TCPSocket.Host
	case h.GRPC != nil:
		p.Via, p.Port = viaGRPC, portOf(c, intstr.FromInt32(h.GRPC.Port))
		if h.GRPC.Service != nil {
			p.Service = *h.GRPC.Service
		}
	default:
		p.Via = viaExec
	}
}

// portOf resolves a port's number or name within its container, 0 where there
// is none such.
func portOf(c corev1.Container, v intstr.IntOrString) uint16 {
	if v.Type == intstr.Int {
		return number(v.IntVal)
	}
	for _, p := range c.Ports {
		if p.Name == v.StrVal {
			return number(p.ContainerPort)
		}
	}
	n, _ := strconv.ParseUint(v.StrVal, 10, 16) // 0: neither a name nor a number
	return uint16(n)
}

func number(n int32) uint16 {
	if n < 1 || n > 1<<16-1 {
		return 0
	}
	return uint16(n)
}

// elsewhere reports whether the probe asks another host than the pod.
func (p probe) elsewhere(pods []netip.Addr) bool {
	a, err := netip.ParseAddr(p.Host)
	return p.Host != "" && (err != nil || !slices.Contains(pods, a.Unmap()))
}

// same reports whether two HTTP probes send the same request, so that nobody
// could tell them apart. Header names were made canonical before.
func (p probe) same(q probe) bool {
	if p.Target != q.Target || len(p.Headers) != len(q.Headers) {
		return false
	}
	for k, v := range p.Headers {
		if !slices.Equal(v, q.Headers[k]) {
			return false
		}
	}
	return true
}

// toldFrom reports whether a readiness probe can be told from a liveness or
// startup probe of the same port, so that one fails where the other passes.
func (p probe) toldFrom(live probe) bool {
	switch {
	case p.Via == viaTCP: // a connection that says nothing
		return false
	case p.Via != live.Via:
		return true
	case p.Via == viaGRPC:
		return p.Service != live.Service
	}
	return !p.same(live)
}

// address is where the probe's connection goes.
func (p probe) address(pod netip.Addr) string {
	return net.JoinHostPort(pod.String(), strconv.Itoa(int(p.Port)))
}
