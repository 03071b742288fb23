package container

import (
	"fmt"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// harmlessDevices are those that every container may use: null, zero, full,
// random, urandom, tty, console, ptmx, pts.
var harmlessDevices = set("c1:3 c1:5 c1:7 c1:8 c1:9 c5:0 c5:1 c5:2 c136:*")

// allDevices reports whether the device cgroup lets everything through.
func allDevices(s *specs.Spec) bool {
	if s.Linux == nil || s.Linux.Resources == nil {
		return false
	}
	all := false
	for _, d := range s.Linux.Resources.Devices {
		if (d.Type == "" || d.Type == "a") && d.Major == nil && d.Minor == nil && strings.Contains(d.Access, "w") || d.Type == "a" && d.Access == "" {
			all = d.Allow // the last such rule holds
		}
	}
	return all
}

func riskyDevices(s *specs.Spec, add adder) {
	if s.Linux == nil || s.Linux.Resources == nil {
		return
	}
	if allDevices(s) {
		add("devices", Critical, "may use every device of the host")
		return
	}
	var chars, blocks []string
	for _, d := range s.Linux.Resources.Devices {
		name := d.Type + number(d.Major) + ":" + number(d.Minor)
		switch {
		case !d.Allow || harmlessDevices[name] || d.Access == "m": // to make a node is not to open it
		case d.Type == "b":
			blocks = append(blocks, name+deviceNode(s, d))
		default:
			chars = append(chars, name+deviceNode(s, d))
		}
	}
	if len(blocks) > 0 {
		add("devices", Critical, "may use block devices of the host: %s", strings.Join(blocks, ", "))
	}
	if len(chars) > 0 {
		add("devices", Medium, "may use devices of the host: %s", strings.Join(chars, ", "))
	}
}

func number(n *int64) string {
	if n == nil || *n < 0 {
		return "*"
	}
	return fmt.Sprint(*n)
}

// deviceNode is the path that a device rule's node has in the container.
func deviceNode(s *specs.Spec, rule specs.LinuxDeviceCgroup) string {
	for _, d := range s.Linux.Devices {
		if rule.Major != nil && rule.Minor != nil && d.Type == rule.Type && d.Major == *rule.Major && d.Minor == *rule.Minor {
			return " " + d.Path
		}
	}
	return ""
}
