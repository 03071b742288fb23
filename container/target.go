package container

import (
	"fmt"
	"slices"
	"strings"
)

// Target is what the user named: a container, or a pod's containers. The zero
// Scheme means a bare NAME or ID, looked for in every runtime.
type Target struct {
	Scheme    string // "", containerd, docker, cri, pod, offline
	Namespace string // containerd namespace, or the pod's namespace
	ID        string // container id, unambiguous prefix of one (8 digits or more), or name
	Pod       string // pod name
	Container string // container name within the pod; empty means all
	Root      string // offline: the mounted root; ID may then be containerd's NS/ID
}

// ParseTarget reads NAME|ID, containerd://NS/ID, docker://ID, cri://ID,
// pod/NS/NAME[/CONTAINER] or offline://ROOT#ID.
func ParseTarget(s string) (Target, error) {
	bad := func(form string) (Target, error) {
		return Target{}, fmt.Errorf("target %q: want %s", s, form)
	}
	scheme, rest, hasScheme := strings.Cut(s, "://")
	switch {
	case s == "":
		return bad("a container: NAME, ID, containerd://NS/ID, docker://ID or pod/NS/NAME")
	case !hasScheme && strings.HasPrefix(s, "pod/"):
		parts := strings.Split(s, "/")
		if len(parts) < 3 || len(parts) > 4 || slices.Contains(parts, "") {
			return bad("pod/NAMESPACE/NAME[/CONTAINER]")
		}
		t := Target{Scheme: "pod", Namespace: parts[1], Pod: parts[2]}
		if len(parts) == 4 {
			t.Container = parts[3]
		}
		return t, nil
	case !hasScheme:
		if strings.Contains(s, "/") {
			return bad("a NAME or an ID without a slash, or a scheme such as containerd://NS/ID")
		}
		return Target{ID: s}, nil
	}
	switch scheme {
	case "containerd":
		ns, id, ok := strings.Cut(rest, "/")
		if !ok || ns == "" || id == "" || strings.Contains(id, "/") || strings.ContainsFunc(rest, unheard) {
			return bad("containerd://NAMESPACE/ID, of printable ASCII")
		}
		return Target{Scheme: scheme, Namespace: ns, ID: id}, nil
	case "docker", "cri":
		if rest == "" || strings.Contains(rest, "/") {
			return bad(scheme + "://ID")
		}
		return Target{Scheme: scheme, ID: rest}, nil
	case "offline":
		at := strings.LastIndexByte(rest, '#') // a path may hold one, an id does not
		if at < 1 || at == len(rest)-1 {
			return bad("offline://ROOT#ID")
		}
		return Target{Scheme: scheme, Root: rest[:at], ID: rest[at+1:]}, nil
	}
	return bad("one of containerd://, docker://, cri://, offline:// or pod/")
}

// unheard are characters that containerd has in no name, and that gRPC refuses
// to send in a namespace.
func unheard(r rune) bool { return r <= ' ' || r >= 0x7f }

func (t Target) String() string {
	switch t.Scheme {
	case "":
		return t.ID
	case "containerd":
		return "containerd://" + t.Namespace + "/" + t.ID
	case "pod":
		s := "pod/" + t.Namespace + "/" + t.Pod
		if t.Container != "" {
			s += "/" + t.Container
		}
		return s
	case "offline":
		return "offline://" + t.Root + "#" + t.ID
	}
	return t.Scheme + "://" + t.ID
}

// Matches reports whether t means c, by c's name, id or id prefix.
func (t Target) Matches(c Container) bool {
	switch t.Scheme {
	case "pod":
		return c.Pod != nil && !c.Pod.Sandbox && c.Pod.Namespace == t.Namespace && c.Pod.Name == t.Pod &&
			(t.Container == "" || c.Pod.Container == t.Container)
	case "containerd":
		if c.Runtime != "containerd" || c.Namespace != t.Namespace {
			return false
		}
	case "docker":
		if c.Runtime != "docker" {
			return false
		}
	case "cri":
		if c.Runtime != "cri" && c.Namespace != "k8s.io" {
			return false
		}
	case "offline":
		if c.Runtime != "offline" || c.Root != t.Root {
			return false
		}
		if ns, id, ok := strings.Cut(t.ID, "/"); ok {
			if c.Namespace != ns {
				return false
			}
			t.ID = id
		}
	}
	return c.ID == t.ID || c.Name == t.ID || len(t.ID) >= 8 && strings.HasPrefix(c.ID, t.ID)
}

// NotFoundError says that no container is what the target means, and which
// there are (Candidates, by Ref) so that the user can choose.
type NotFoundError struct {
	Target     Target
	Candidates []Container
}

func (e *NotFoundError) Error() string { return fmt.Sprintf("no container is %q", e.Target) }

// AmbiguousError says that a target means several containers.
type AmbiguousError struct {
	Target     Target
	Candidates []Container
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%q means %d containers", e.Target, len(e.Candidates))
}
