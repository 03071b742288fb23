package record

// Interface is one network interface: a line of network/interfaces.jsonl.
type Interface struct {
	Index     int        `json:"index"`
	Name      Text       `json:"name"`
	Kind      string     `json:"kind"` // device, veth, bridge, vlan, …
	MAC       string     `json:"mac,omitempty"`
	MTU       int        `json:"mtu"`
	Flags     string     `json:"flags"` // "up|broadcast|…"
	Promisc   int        `json:"promiscuous,omitempty"`
	State     string     `json:"state"` // up, down, unknown, …
	Alias     Text       `json:"alias,omitempty"`
	Master    int        `json:"master,omitempty"`       // index of the bridge or bond that it is in
	Peer      int        `json:"peer_index,omitempty"`   // veth: the peer's index, in the namespace below; others: what they stand on
	PeerNetNS *int       `json:"peer_netnsid,omitempty"` // this namespace's own number of the other one; absent: the same, or unknown
	XDP       bool       `json:"xdp,omitempty"`          // a BPF program is attached at its driver
	XDPProg   uint32     `json:"xdp_program,omitempty"`  // that program's id
	Addresses []Address  `json:"addresses,omitempty"`
	Stats     *LinkStats `json:"stats,omitempty"`
	Via       string     `json:"via"` // "netlink"
}

// Address is one address of an interface.
type Address struct {
	Address   string `json:"address"` // with the prefix length: "10.0.0.2/24"
	Peer      string `json:"peer,omitempty"`
	Broadcast string `json:"broadcast,omitempty"`
	Label     Text   `json:"label,omitempty"`
	Scope     string `json:"scope"`
	Flags     int    `json:"flags"`           // IFA_F_*
	Valid     int    `json:"valid,omitempty"` // seconds; 0 for ever
}

// LinkStats counts since the interface was made.
type LinkStats struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxErrors  uint64 `json:"rx_errors,omitempty"`
	RxDropped uint64 `json:"rx_dropped,omitempty"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxErrors  uint64 `json:"tx_errors,omitempty"`
	TxDropped uint64 `json:"tx_dropped,omitempty"`
}

// Route is one route: a line of network/routes.jsonl.
type Route struct {
	Family      string    `json:"family"`
	Table       int       `json:"table"` // 254 main, 255 local, 253 default
	Type        string    `json:"type"`  // unicast, local, blackhole, …
	Destination string    `json:"destination"`
	Source      string    `json:"source,omitempty"` // the address that is preferred
	Gateway     string    `json:"gateway,omitempty"`
	Interface   int       `json:"interface,omitempty"` // index
	Hops        []NextHop `json:"next_hops,omitempty"`
	Protocol    string    `json:"protocol"` // who made it: kernel, boot, static, …
	Scope       string    `json:"scope"`
	Priority    int       `json:"priority,omitempty"`
	TOS         int       `json:"tos,omitempty"`
	Via         string    `json:"via"`
}

// NextHop is one way of a route that has several.
type NextHop struct {
	Gateway   string `json:"gateway,omitempty"`
	Interface int    `json:"interface"`
	Weight    int    `json:"weight"` // from 1
}

// Rule is one routing policy rule: a line of network/rules.jsonl.
type Rule struct {
	Family      string  `json:"family"`
	Priority    int     `json:"priority"`
	Source      string  `json:"source,omitempty"`
	Destination string  `json:"destination,omitempty"`
	In          Text    `json:"in,omitempty"`
	Out         Text    `json:"out,omitempty"`
	Mark        uint32  `json:"mark,omitempty"`
	Mask        *uint32 `json:"mask,omitempty"`
	Table       int     `json:"table"`
	Action      uint8   `json:"action"` // FR_ACT_*: 1 to table, 6 blackhole, 7 unreachable, 8 prohibit
	Goto        int     `json:"goto,omitempty"`
	Invert      bool    `json:"invert,omitempty"`
	Via         string  `json:"via"`
}

// Neighbour is one entry of the ARP or neighbour cache: a line of
// network/neighbours.jsonl.
type Neighbour struct {
	Interface int    `json:"interface"` // index
	Address   string `json:"address,omitempty"`
	MAC       string `json:"mac,omitempty"`
	State     string `json:"state"` // reachable, stale, permanent, …
	Flags     int    `json:"flags,omitempty"`
	VLAN      int    `json:"vlan,omitempty"`
	Confirmed uint32 `json:"confirmed,omitempty"` // 1/100 s ago
	Used      uint32 `json:"used,omitempty"`      // 1/100 s ago
	Updated   uint32 `json:"updated,omitempty"`   // 1/100 s ago
	Via       string `json:"via"`
}

// NetNS is a network namespace that was read: a line of
// network/namespaces.jsonl.
type NetNS struct {
	Dir   string   `json:"dir"`  // where its members are
	Role  string   `json:"role"` // container, host, shared (the container is in the host's), other (some process of the container is in it)
	Inode uint64   `json:"inode"`
	PIDs  []int    `json:"pids,omitempty"` // processes of the container that are in it
	Notes []string `json:"notes,omitempty"`
	Via   string   `json:"via"`
}
