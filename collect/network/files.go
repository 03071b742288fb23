package network

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"amber/collect/process/proc"
	"amber/container"
	"amber/evidence/record"

	"golang.org/x/sys/unix"
)

// maxFile is the bound of one file of procfs in bytes; maxConfig that of a
// file such as resolv.conf.
const (
	maxFile   = 16 << 20
	maxConfig = 1 << 20
)

// procFiles are the files of /proc/PID/net that are kept as they are.
var procFiles = strings.Fields(`tcp tcp6 udp udp6 udplite udplite6 raw raw6 icmp icmp6 unix packet netlink
dev route ipv6_route arp if_inet6 igmp igmp6 dev_mcast fib_trie fib_triestat snmp snmp6 netstat sockstat sockstat6
protocols ptype xfrm_stat ip_tables_names ip6_tables_names arp_tables_names nf_conntrack_expect`)

// netFile is one of them as it was read.
type netFile struct {
	name string
	data []byte
	err  error
}

func (n *space) read(ctx context.Context, name string) netFile {
	if name == "tcp" || name == "tcp6" {
		b, err := n.h.ReadTable(ctx, "net/"+name, maxFile, maxTCPLine)
		return netFile{name, b, err}
	}
	b, err := n.h.Read(ctx, "net/"+name, maxFile)
	return netFile{name, b, err}
}

// maxTCPLine is more than the kernel prints of a connection: 150 bytes of an
// IPv4 one, 48 more of IPv6 (net/ipv4/tcp_ipv4.c, net/ipv6/tcp_ipv6.c).
const maxTCPLine = 512

// readFiles reads them while something else of the namespace is asked for: to
// list the connections the kernel walks a table of its own, that of all
// namespaces, for each file that shows some. They end with ctx.
func (n *space) readFiles(ctx context.Context) {
	files := make(chan netFile, 2)
	n.files = files
	n.reading.Go(func() {
		defer close(files)
		for _, name := range procFiles {
			select {
			case files <- n.read(ctx, name):
			case <-ctx.Done():
				return
			}
		}
	})
}

// procNet keeps the files of /proc/net, and says where filter rules are that
// nftables does not list.
func (r *run) procNet(ctx context.Context, n *space) error {
	for f := range n.files {
		if err := r.keep(ctx, n, f); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, name := range []string{"ip_tables_names", "ip6_tables_names", "arp_tables_names"} {
		b, err := n.h.Read(ctx, "net/"+name, maxFile)
		if err != nil || len(bytes.TrimSpace(b)) == 0 {
			continue
		}
		reason := fmt.Errorf("legacy tables are in use (%s): their rules are not read", strings.Join(strings.Fields(string(b)), ", "))
		if err := r.miss(ctx, n.dir+"/legacy/"+name, reason); err != nil {
			return err
		}
	}
	return nil
}

// keep adds one file of the namespace's /proc/net; one that the kernel does
// not have is nothing.
func (r *run) keep(ctx context.Context, n *space, f netFile) error {
	path, b, err := n.dir+"/proc/"+f.name, f.data, f.err
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	cut := errors.Is(err, proc.ErrCut)
	if err != nil && !cut {
		return r.miss(ctx, path, err)
	}
	m := fileMember(path, len(b), "procfs")
	if cut {
		m.Notes = append(m.Notes, fmt.Sprintf("longer than the bound: cut to %d bytes", len(b)))
	}
	return r.sink.Add(m, bytes.NewReader(b))
}

func fileMember(path string, size int, via string) *record.Member {
	return &record.Member{Path: path, Type: record.File, Mode: 0o444, Size: int64(size), ReadAt: time.Now(), Via: via}
}

// sysctls are the settings of a namespace that change where packets go or who
// may send them.
var sysctls = strings.Fields(`net/ipv4/ip_forward net/ipv4/conf/all/forwarding net/ipv4/conf/all/rp_filter
net/ipv4/conf/all/route_localnet net/ipv4/conf/all/accept_redirects net/ipv4/conf/all/send_redirects
net/ipv4/conf/all/accept_source_route net/ipv4/conf/all/proxy_arp net/ipv4/conf/all/accept_local
net/ipv4/conf/all/arp_ignore net/ipv4/conf/all/src_valid_mark net/ipv4/ip_unprivileged_port_start
net/ipv4/ip_local_port_range net/ipv4/ip_nonlocal_bind net/ipv4/ping_group_range net/ipv4/icmp_echo_ignore_all
net/ipv4/tcp_syncookies net/ipv4/tcp_timestamps net/ipv4/tcp_congestion_control net/ipv6/conf/all/forwarding
net/ipv6/conf/all/disable_ipv6 net/ipv6/conf/all/accept_ra net/ipv6/conf/all/accept_redirects
net/ipv6/conf/all/proxy_ndp net/ipv6/bindv6only net/core/somaxconn net/core/bpf_jit_enable net/unix/max_dgram_qlen
net/netfilter/nf_conntrack_count net/netfilter/nf_conntrack_max net/netfilter/nf_conntrack_acct
net/netfilter/nf_conntrack_timestamp`)

// readSysctls reads those of the calling thread's namespace, as "name =
// value" lines; absent ones are left out.
func readSysctls() []byte {
	var b bytes.Buffer
	for _, name := range sysctls {
		v, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			continue
		}
		fmt.Fprintf(&b, "%s = %s\n", strings.ReplaceAll(name, "/", "."), strings.TrimSpace(string(v)))
	}
	return b.Bytes()
}

func (r *run) sysctl(ctx context.Context, n *space) error {
	if len(n.sysctls) == 0 {
		return r.miss(ctx, n.dir+"/sysctl.txt", errors.New("none could be read in the namespace"))
	}
	return r.sink.Add(fileMember(n.dir+"/sysctl.txt", len(n.sysctls), "procfs"), bytes.NewReader(n.sysctls))
}

// configs are the files by which a container knows its network.
var configs = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/hostname", "/etc/nsswitch.conf", "/etc/host.conf"}

// containerFiles keeps them as the container's init process sees them.
func (r *run) containerFiles(ctx context.Context, c container.Container) error {
	if c.PID == 0 {
		return r.miss(ctx, "network/etc", errors.New("no process of the container is there to see its root by"))
	}
	h, err := proc.Open(ctx, r.guard, c.PID)
	if err != nil {
		return r.miss(ctx, "network/etc", err)
	}
	defer h.Close()
	mountinfo, err := h.Read(ctx, "mountinfo", maxFile)
	if err != nil {
		return r.miss(ctx, "network/etc", fmt.Errorf("reading its mount table: %w", err))
	}
	root := h.Root(proc.NewMounts(ctx, r.guard), mountinfo)
	for _, path := range configs {
		if err := r.config(ctx, root, path); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) config(ctx context.Context, root *proc.Root, path string) error {
	f, at, err := root.Open(ctx, path)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	member := "network" + path
	if err != nil {
		return r.miss(ctx, member, err)
	}
	defer f.Close()
	if f.Stat.Size > maxConfig {
		return r.miss(ctx, member, fmt.Errorf("%d bytes long, which no such file is", f.Stat.Size))
	}
	m := fileMember(member, int(f.Stat.Size), "/proc/PID/root")
	m.Mode, m.UID, m.GID, m.Inode = f.Stat.Mode&0o7777, f.Stat.Uid, f.Stat.Gid, f.Stat.Ino
	m.Mtime, m.Ctime = time.Unix(f.Stat.Mtim.Unix()), time.Unix(f.Stat.Ctim.Unix())
	if at != path {
		m.Notes = append(m.Notes, fmt.Sprintf("through links, at %q", at))
	}
	return r.sink.Add(m, f)
}
