package sigma

import (
	"bytes"
	"strings"

	"amber/timeline/detect"
)

// What is derived of names that were asked for, and of flows.
const (
	derivedName    = "=name"    // without the dot at its end
	derivedVerdict = "=verdict" // accept or deny, and what else logs call them
	derivedBlocked = "=blocked"
)

// dnsQueries are the logs of resolvers, and of who watches them.
func dnsQueries() []target {
	asked := []gate{actions("dns-query", "dns-answer")}
	return []target{
		{"aws.route53_public_logs", questions{}, nil},
		{"aws.route53_resolver_logs", questions{answers: true}, nil},
		{"cilium.hubble", questions{answers: true}, asked},
		{"coredns.log", questions{}, asked},
		{"inspektor_gadget.trace", questions{answers: true}, asked},
		{"kubernetes.container_logs", questions{}, asked},
		{"amber.log", questions{}, asked},
	}
}

// questions is the naming of Sigma's category dns.
type questions struct{ answers bool }

func (q questions) origin(field string) (origin, bool) {
	switch strings.ToLower(field) {
	case timestamp:
		return origin{name: derivedTime, how: derived}, true
	case "query", "queryname", "dns_query":
		return origin{name: derivedName, how: derived}, true
	case "record_type", "qtype", "query_type":
		field = "dns.question.type"
	case "answer", "answers":
		return origin{name: "dns.answers.data", how: fromColumn}, q.answers
	case "rcode", "response_code":
		field = "dns.response_code"
	case "src_ip":
		field = "source.ip"
	case "dst_ip":
		field = "destination.ip"
	}
	return origin{name: field, how: fromColumn}, timelineName(field)
}

// namesAsked appends the names that were asked for.
func namesAsked(dst []detect.Value, v detect.View) []detect.Value {
	n := len(dst)
	if dst = v.Column(dst, "dns.question.name"); len(dst) == n {
		dst = v.Column(dst, "destination.domain")
	}
	for i := n; i < len(dst); i++ {
		dst[i].Text = bytes.TrimSuffix(dst[i].Text, []byte("."))
	}
	return dst
}

// traffic are the logs of packets that were let through or were not.
func traffic() []target {
	return []target{
		{"aws.vpcflow", flows{}, []gate{actions("flow", "flow-denied")}},
		{"azure.network_watcher_nsg", flows{}, nil},
		{"azure.network_watcher_vnet", flows{}, nil},
		{"cilium.hubble", flows{}, []gate{actions("flow")}},
		{"gcp.vpcflow", flows{}, nil},
	}
}

// flows is the naming of Sigma's category firewall.
type flows struct{}

func (flows) origin(field string) (origin, bool) {
	switch strings.ToLower(field) {
	case timestamp:
		return origin{name: derivedTime, how: derived}, true
	case "action":
		return origin{name: derivedVerdict, how: derived}, true
	case "blocked":
		return origin{name: derivedBlocked, how: derived}, true
	case "src_ip", "sourceip", "source_ip":
		field = "source.ip"
	case "src_port", "sourceport", "source_port":
		field = "source.port"
	case "dst_ip", "destinationip", "destination_ip":
		field = "destination.ip"
	case "dst_port", "destinationport", "destination_port":
		field = "destination.port"
	case "protocol":
		field = "network.transport"
	}
	return origin{name: field, how: fromColumn}, timelineName(field)
}

// The words that firewalls have for what they do.
var (
	letThrough = []string{"accept", "accepted", "allow", "allowed", "forward", "pass", "permit"}
	keptOut    = []string{"block", "blocked", "denied", "deny", "drop", "dropped", "reject", "rejected"}
)

// verdicts appends what became of a flow: in all the words for it, or, with
// blocked, whether it was kept out.
func verdicts(dst []detect.Value, v detect.View, blocked bool) []detect.Value {
	n := len(dst)
	dst = v.Column(dst, "event.type")
	var allowed, denied bool
	for _, t := range dst[n:] {
		allowed = allowed || string(t.Text) == "allowed"
		denied = denied || string(t.Text) == "denied"
	}
	dst = dst[:n]
	if allowed == denied {
		return dst
	}
	if blocked {
		return append(dst, detect.Value{Kind: detect.Bool, Text: truth(denied)})
	}
	words := letThrough
	if denied {
		words = keptOut
	}
	for _, w := range words {
		dst = append(dst, detect.Value{Text: view(w)})
	}
	return dst
}
