package record

import "encoding/json"

// NFT is one object of the nftables ruleset: a line of network/nft.jsonl. The
// messages of the kernel that it was made from are in network/nft.netlink,
// byte for byte and in the same order.
type NFT struct {
	Kind     string `json:"kind"`   // table, chain, rule, set, element, object, flowtable
	Family   string `json:"family"` // ip, ip6, inet, arp, bridge, netdev
	Table    Text   `json:"table"`
	Name     Text   `json:"name,omitempty"`  // of a chain, set, object or flowtable
	Chain    Text   `json:"chain,omitempty"` // of a rule
	Set      Text   `json:"set,omitempty"`   // of an element
	Handle   uint64 `json:"handle,omitempty"`
	Type     string `json:"type,omitempty"` // of a base chain: filter, nat, route
	Hook     string `json:"hook,omitempty"` // of a base chain: prerouting, input, …
	Priority int32  `json:"priority,omitempty"`
	Device   Text   `json:"device,omitempty"`
	Policy   string `json:"policy,omitempty"` // accept, drop
	Flags    uint32 `json:"flags,omitempty"`
	Uses     uint32 `json:"uses,omitempty"`
	UserData []byte `json:"user_data,omitempty"` // comments of the nft tool are in here
	Comment  Text   `json:"comment,omitempty"`   // from the user data

	Expressions []NFTExpression `json:"expressions,omitempty"`
	Key         []byte          `json:"key,omitempty"` // of an element
	KeyEnd      []byte          `json:"key_end,omitempty"`
	Value       []byte          `json:"value,omitempty"` // of an element of a map
	Expires     uint64          `json:"expires_ms,omitempty"`

	Raw []byte `json:"raw,omitempty"` // the attributes, of what is not taken apart here
	Via string `json:"via"`           // "netlink"
}

// NFTExpression is one expression of a rule. Data is its attributes as the
// kernel gave them; Fields are the same, as the nftables library reads them,
// absent for one that it does not know.
type NFTExpression struct {
	Name   string          `json:"name"`
	Fields json.RawMessage `json:"fields,omitempty"`
	Data   []byte          `json:"data,omitempty"`
}
