package critical

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"amber/container/procfs"
	"amber/evidence/safetext"
)

// runtimeSockets are the file names of the sockets that runtimes listen on.
var runtimeSockets = []string{
	"containerd.sock", "containerd.sock.ttrpc", "docker.sock", "crio.sock", "podman.sock", "cri-dockerd.sock", "buildkitd.sock",
}

// listening is the flag of /proc/net/unix for a socket that listens
// (__SO_ACCEPTCON).
const listening = 0x10000

// sockets gives, by inode, the sockets whose owner is critical, and why.
func (s *subject) sockets() map[uint64]string {
	found := map[uint64]string{}
	ns, err := procfs.Namespace(s.PID, "net")
	if err != nil {
		s.unsure("which sockets it owns: %v", err)
	}
	pids := []int{s.host.self.PID}
	if ns != s.host.netNS {
		pids = append(pids, s.PID)
	}
	for _, pid := range pids {
		data := netFile(pid, "unix")
		for inode, name := range parseUnix(string(data)) {
			if slices.Contains(runtimeSockets, path.Base(name)) || slices.Contains(s.host.self.Sockets, name) {
				found[inode] = "it listens on a runtime's socket, " + safetext.Line(name)
			}
		}
	}
	s.sshSockets(ns, found)
	s.dnsSockets(found)
	return found
}

// parseUnix reads /proc/net/unix: inode → path of each listening socket. A
// path may hold anything, line breaks too; lines that make no sense are left
// out.
func parseUnix(data string) map[uint64]string {
	out := map[uint64]string{}
	for line := range strings.Lines(data) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 7)
		if len(f) < 7 {
			continue
		}
		flags, err := strconv.ParseUint(f[3], 16, 64)
		if err != nil || flags&listening == 0 {
			continue
		}
		num, name, ok := strings.Cut(strings.TrimLeft(f[6], " "), " ")
		inode, err := strconv.ParseUint(num, 10, 64)
		if ok && err == nil && inode != 0 {
			out[inode] = name
		}
	}
	return out
}

// sshSockets finds the sockets of the ssh connection by which the responder
// came, and of the server that took it, where the target shares amber's
// network namespace. sudo keeps SSH_CONNECTION from amber, so its parents are
// asked too; not when one is the target's own, whose memory may hang.
func (s *subject) sshSockets(ns string, found map[uint64]string) {
	if ns != s.host.netNS || len(s.reasons) > 0 {
		return
	}
	port, ok := s.sshPort()
	if !ok {
		return
	}
	for _, file := range []string{"tcp", "tcp6"} {
		data := netFile(s.host.self.PID, file)
		for _, k := range parseInet(string(data)) {
			if k.local.Port() == port.local && (k.listens || k.remote.Port() == port.remote) {
				found[k.inode] = "it serves the ssh connection by which you came, on port " + strconv.Itoa(int(port.local))
			}
		}
	}
}

type ports struct{ local, remote uint16 }

// sshPort reads SSH_CONNECTION: "client port server port".
func (s *subject) sshPort() (ports, bool) {
	for _, pid := range append([]int{s.host.self.PID}, s.host.parents...) {
		if slices.Contains(s.pids, pid) && pid != s.host.self.PID {
			return ports{}, false
		}
		env, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
		for v := range strings.SplitSeq(string(env), "\x00") {
			if p, ok := parseSSH(v); ok {
				return p, true
			}
		}
	}
	return ports{}, false
}

func parseSSH(env string) (ports, bool) {
	v, ok := strings.CutPrefix(env, "SSH_CONNECTION=")
	f := strings.Fields(v)
	if !ok || len(f) != 4 {
		return ports{}, false
	}
	remote, err1 := strconv.ParseUint(f[1], 10, 16)
	local, err2 := strconv.ParseUint(f[3], 10, 16)
	return ports{uint16(local), uint16(remote)}, err1 == nil && err2 == nil
}

// dnsSockets finds the sockets that answer on a name server's address of the
// host's resolv.conf.
func (s *subject) dnsSockets(found map[uint64]string) {
	data, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		s.unsure("whether it is the host's name server: %v", err)
		return
	}
	servers := parseResolv(string(data))
	if len(servers) == 0 {
		return
	}
	local := localAddresses(s.PID)
	ns, _ := procfs.Namespace(s.PID, "net")
	if ns == s.host.netNS { // loopback is the host's own only there
		for _, a := range servers {
			if a.IsLoopback() {
				local[a] = true
			}
		}
	}
	for _, file := range []string{"udp", "udp6"} {
		data := netFile(s.PID, file)
		for _, k := range parseInet(string(data)) {
			for _, a := range servers {
				at := k.local.Addr().Unmap()
				if k.local.Port() == 53 && local[a] && (at == a || at.IsUnspecified()) {
					found[k.inode] = "it is the host's name server (DNS) on " + a.String()
				}
			}
		}
	}
}

// parseResolv gives the name servers of a resolv.conf(5).
func parseResolv(data string) []netip.Addr {
	var out []netip.Addr
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "nameserver" {
			if a, err := netip.ParseAddr(f[1]); err == nil {
				out = append(out, a.WithZone("").Unmap())
			}
		}
	}
	return out
}

// inet is a socket of /proc/net/{tcp,udp}{,6}.
type inet struct {
	local, remote netip.AddrPort
	listens       bool
	inode         uint64
}

func parseInet(data string) []inet {
	var out []inet
	for line := range strings.Lines(data) {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		local, ok1 := parseHexPort(f[1])
		remote, ok2 := parseHexPort(f[2])
		inode, err := strconv.ParseUint(f[9], 10, 64)
		if ok1 && ok2 && err == nil && inode != 0 {
			out = append(out, inet{local, remote, f[3] == "0A", inode})
		}
	}
	return out
}

// parseHexPort reads "0100007F:0035": an address as 32 bit words in the
// machine's byte order, and a port.
func parseHexPort(s string) (netip.AddrPort, bool) {
	addr, port, _ := strings.Cut(s, ":")
	raw, err1 := hex.DecodeString(addr)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a, uint16(p)), ok
}

// netFile is what is in a file of a process's network namespace, nothing where it
// cannot be read.
func netFile(pid int, name string) []byte {
	data, _ := procfs.OfLiving(pid, func(id int) ([]byte, error) {
		return os.ReadFile(filepath.Join("/proc", strconv.Itoa(id), "net", name))
	})
	return data
}
