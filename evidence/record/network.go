package record

// NetSocket is one socket: a line of network/sockets.jsonl, or of
// network/unlisted.jsonl where only a process's descriptor tells of it. Addresses are without
// port or brackets; a number that the kernel does not give for a kind of
// socket is 0 and left out.
type NetSocket struct {
	Family     string  `json:"family"`             // inet, inet6, unix, packet, netlink, vsock
	Type       string  `json:"type"`               // stream, dgram, raw, seqpacket
	Protocol   string  `json:"protocol,omitempty"` // tcp, udp, udplite, sctp, dccp, mptcp, raw (inet); a number or name for packet and netlink
	State      string  `json:"state,omitempty"`    // listen, established, syn-sent, …, unconnected
	Local      string  `json:"local,omitempty"`
	LocalPort  uint32  `json:"local_port,omitempty"`
	Remote     string  `json:"remote,omitempty"`
	RemotePort uint32  `json:"remote_port,omitempty"`
	Interface  uint32  `json:"interface,omitempty"` // index of the interface that it is bound to
	Path       Text    `json:"path,omitempty"`      // unix: its name; an abstract one begins with "@" for the NUL
	Inode      uint64  `json:"inode,omitempty"`     // key of the open files' socket inodes; 0 for one that nobody holds (time-wait, unaccepted)
	Peer       uint64  `json:"peer_inode,omitempty"`
	Pending    []int64 `json:"pending_inodes,omitempty"` // unix: peers that wait to be accepted
	Cookie     uint64  `json:"cookie,omitempty"`
	UID        *uint32 `json:"uid,omitempty"` // who made it, as the host numbers users
	RecvQueue  uint32  `json:"recv_queue"`    // bytes not read yet; of a listener: connections not accepted
	SendQueue  uint32  `json:"send_queue"`    // bytes not acknowledged; of a listener: the backlog
	Timer      string  `json:"timer,omitempty"`
	TimerMS    uint32  `json:"timer_ms,omitempty"` // until it expires, in milliseconds
	Retrans    uint32  `json:"retransmits,omitempty"`
	Mark       uint32  `json:"mark,omitempty"`
	CgroupID   uint64  `json:"cgroup_id,omitempty"` // cgroup v2: the inode number of the group
	Congestion string  `json:"congestion,omitempty"`
	Shutdown   uint8   `json:"shutdown,omitempty"` // bit 0: receiving, bit 1: sending
	TCP        *TCP    `json:"tcp,omitempty"`
	Groups     string  `json:"groups,omitempty"` // netlink: multicast groups, the bytes in hexadecimal
	PortID     uint32  `json:"port_id,omitempty"`
	Filter     []byte  `json:"filter,omitempty"` // packet: classic BPF program that chooses what it sees (struct sock_filter, native order)

	Owners []Owner `json:"owners,omitempty"`
	Via    string  `json:"via"` // "sock_diag", or the file of /proc/net
}

// TCP is what struct tcp_info tells of a connection.
type TCP struct {
	LastSentMS     uint32 `json:"last_data_sent_ms"` // this long ago
	LastReceivedMS uint32 `json:"last_data_received_ms"`
	RTTus          uint32 `json:"rtt_us"` // smoothed round trip, in microseconds
	BytesSent      uint64 `json:"bytes_acked"`
	BytesReceived  uint64 `json:"bytes_received"`
	TotalRetrans   uint32 `json:"total_retrans,omitempty"`
}

// Owner is a process that has a socket open.
type Owner struct {
	PID    int  `json:"pid"` // on the host
	FD     int  `json:"fd"`
	Thread int  `json:"thread,omitempty"` // of a thread with a table of open files of its own; 0 for the process's
	Comm   Text `json:"comm"`
}

// Flow is one connection that conntrack follows: a line of
// network/conntrack.jsonl.
type Flow struct {
	Family   string `json:"family"`
	Protocol string `json:"protocol"` // name, or number
	Original Tuple  `json:"original"`
	Reply    Tuple  `json:"reply"`
	State    string `json:"state,omitempty"`   // tcp
	Status   uint32 `json:"status"`            // bits of enum ip_conntrack_status
	Timeout  uint32 `json:"timeout,omitempty"` // seconds until it is forgotten
	Mark     uint32 `json:"mark,omitempty"`
	Zone     uint16 `json:"zone,omitempty"`
	ID       uint32 `json:"id,omitempty"`
	StartNS  uint64 `json:"start_ns,omitempty"` // since the epoch, where timestamping is on
	Helper   Text   `json:"helper,omitempty"`
	Via      string `json:"via"` // "netlink" or "/proc/net/nf_conntrack"
}

// Tuple is one direction of a flow. The counters are 0 where accounting is off.
type Tuple struct {
	Source          string `json:"source"`
	Destination     string `json:"destination"`
	SourcePort      uint16 `json:"source_port,omitempty"`
	DestinationPort uint16 `json:"destination_port,omitempty"`
	ICMPID          uint16 `json:"icmp_id,omitempty"`
	ICMPType        uint8  `json:"icmp_type,omitempty"`
	ICMPCode        uint8  `json:"icmp_code,omitempty"`
	Packets         uint64 `json:"packets,omitempty"`
	Bytes           uint64 `json:"bytes,omitempty"`
}
