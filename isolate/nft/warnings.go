package nft

import (
	"fmt"
	"strings"

	"amber/container"
	"amber/evidence/safetext"
	"amber/isolate"
	"amber/isolate/allow"
	"golang.org/x/sys/unix"
)

// warnings are about what stays open.
func (b before) warnings() []string {
	var w []string
	if len(b.Allow) > 0 {
		w = append(w, "what is allowed is judged packet by packet: TCP opens outward only; fragments are dropped, and so are IPv4 options and IPv6 extension headers")
	}
	for _, r := range b.Allow {
		if r.Proto == 0 || r.Proto == unix.IPPROTO_UDP {
			w = append(w, fmt.Sprintf("UDP has no connections: whatever %s sends %s reaches the container, asked for or not", r.Prefix, fromPort(r)))
		}
		if r.Proto == 0 {
			w = append(w, fmt.Sprintf("to %s TCP, UDP and ping stay open, and no other protocol", r.Prefix))
		}
	}
	if len(b.Ports) > 0 {
		w = append(w, fmt.Sprintf("the node's own addresses reach the TCP ports %s of the container, and its answers reach them", list(b.Ports)))
	}
	return w
}

func fromPort(r allow.Rule) string {
	if r.Port == 0 {
		return "by UDP"
	}
	return fmt.Sprintf("from the UDP port %d", r.Port)
}

// targetWarnings are about what the containers are.
func targetWarnings(t isolate.Target) []string {
	var w, others []string
	for _, c := range t.Containers {
		if c.Ref() != t.Containers[0].Ref() {
			others = append(others, c.Ref())
		}
		w = append(w, powers(c)...)
		w = append(w, sockets(c)...)
	}
	if len(others) > 0 {
		w = append(w, "the containers of the pod share its network namespace and are cut off together: also "+strings.Join(others, ", "))
	}
	return append(w, "loopback within its network namespace, files and unix sockets are not cut")
}

// powers are those over the host itself.
func powers(c container.Container) []string {
	var w []string
	for _, r := range container.Risks(c) {
		if r.Severity == container.Critical || r.ID == "host-pid" {
			w = append(w, fmt.Sprintf("%s: %s; it can undo what is done on the host, so the quarantine holds only while it is frozen", c.Ref(), safetext.Line(r.What)))
		}
	}
	return w
}

// sockets are mounts of the host that are, or may hold, unix sockets. They are
// judged by name, because to look at them may never end.
func sockets(c container.Container) []string {
	if c.Spec == nil {
		return nil
	}
	var w []string
	for _, m := range c.Spec.Mounts {
		s := m.Source
		if m.Type == "bind" && (strings.HasSuffix(s, ".sock") || strings.HasPrefix(s, "/run/") || strings.HasPrefix(s, "/var/run/")) &&
			m.Destination != "/etc/resolv.conf" && m.Destination != "/dev/shm" && m.Destination != "/etc/hosts" && m.Destination != "/etc/hostname" {
			w = append(w, fmt.Sprintf("%s reaches the host through %s, which is mounted at %s: unix sockets are not cut", c.Ref(), safetext.Line(s), safetext.Line(m.Destination)))
		}
	}
	return w
}
