package filesystem

import "strings"

// sandbox names the kind of sandbox that keeps a container's kernel state away
// from the host's /proc; empty where there is none.
func sandbox(handler string) string {
	h := strings.ToLower(handler)
	switch {
	case strings.Contains(h, "runsc"), strings.Contains(h, "gvisor"):
		return "gVisor"
	case strings.Contains(h, "kata"):
		return "Kata Containers"
	}
	return ""
}
