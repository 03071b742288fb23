package kube

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"amber/container/kube"
	"amber/isolate/allow"
)

// tree is a JSON object in the making.
type tree = map[string]any

// quarantine names what is made for one hold: a hold's objects all have names
// that follow from the pod's uid, so that of two ambers one comes first.
type quarantine struct {
	pod   podID
	caze  string
	hold  string
	allow []allow.Rule
}

func (q quarantine) name(what string) string { return "amber-" + what + "-" + q.pod.UID }

func (q quarantine) selector() tree { return tree{"matchLabels": tree{LabelHold: q.hold}} }

// body is an object with the labels of the hold.
func (q quarantine) body(apiVersion, kind string, o kube.Object, spec tree) tree {
	meta := tree{
		"name":        o.Name,
		"labels":      tree{LabelCase: q.caze, LabelHold: q.hold},
		"annotations": tree{annotationPod: q.pod.Namespace + "/" + q.pod.Name + " " + q.pod.UID},
	}
	if o.Namespace != "" {
		meta["namespace"] = o.Namespace
	}
	return tree{"apiVersion": apiVersion, "kind": kind, "metadata": meta, "spec": spec}
}

// made is an object to be made, with the sentences that its step says.
type made struct {
	object kube.Object
	body   tree
	what   string
	proves string
	image  string
}

// networkPolicy lets nothing in, and out what is allowed. ICMP is not in the
// vocabulary of a NetworkPolicy.
func (q quarantine) networkPolicy() made {
	o := kube.Object{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies", Namespace: q.pod.Namespace, Name: q.name("hold")}
	egress := []any{}
	for _, r := range q.allow {
		if icmp(r) {
			continue
		}
		rule := tree{"to": []any{tree{"ipBlock": tree{"cidr": r.Prefix.String()}}}}
		if p := protocol(r); p != "" {
			port := tree{"protocol": p}
			if r.Port != 0 {
				port["port"] = r.Port
			}
			rule["ports"] = []any{port}
		}
		egress = append(egress, rule)
	}
	spec := tree{"podSelector": q.selector(), "policyTypes": []any{"Ingress", "Egress"}, "ingress": []any{}, "egress": egress}
	return made{
		object: o, body: q.body("networking.k8s.io/v1", "NetworkPolicy", o, spec),
		what: "makes a NetworkPolicy that lets nothing into this pod alone, and out of it " + q.allowed(),
	}
}

func (q quarantine) allowed() string {
	if len(q.allow) == 0 {
		return "nothing"
	}
	var s []string
	for _, r := range q.allow {
		s = append(s, r.String())
	}
	return strings.Join(s, ", ") + " alone"
}

func icmp(r allow.Rule) bool { return r.Proto == unix.IPPROTO_ICMP || r.Proto == unix.IPPROTO_ICMPV6 }

func protocol(r allow.Rule) string {
	switch r.Proto {
	case unix.IPPROTO_TCP:
		return "TCP"
	case unix.IPPROTO_UDP:
		return "UDP"
	}
	return ""
}

// serves says which policies of CNIs the API server serves.
type serves struct {
	Cilium, Calico, CalicoCRD, Admin bool
}

// stronger are the policies whose denial wins over what others allow.
func (q quarantine) stronger(s serves) []made {
	var all []made
	if s.Cilium {
		all = append(all, q.cilium())
	}
	switch {
	case s.Calico:
		all = append(all, q.calico("projectcalico.org", "v3"))
	case s.CalicoCRD:
		all = append(all, q.calico("crd.projectcalico.org", "v1"))
	}
	if s.Admin {
		all = append(all, q.admin())
	}
	return all
}

// cilium denies with what wins in Cilium over every allowing rule. The pod's
// own node is left out of the denial of ingress, for it is the kubelet that
// probes from there. What is allowed is taken out of the denial by network,
// and allowed by port.
func (q quarantine) cilium() made {
	o := kube.Object{Group: "cilium.io", Version: "v2", Resource: "ciliumnetworkpolicies", Namespace: q.pod.Namespace, Name: q.name("hold")}
	anyPod := []any{tree{"matchExpressions": []any{tree{"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}}}}
	spec := tree{
		"endpointSelector": q.selector(),
		"ingress":          []any{},
		"ingressDeny": []any{
			tree{"fromEntities": []any{"world", "remote-node", "kube-apiserver", "unmanaged", "init"}},
			tree{"fromEndpoints": anyPod},
		},
		"egressDeny": []any{tree{"toEntities": []any{"all"}}},
	}
	if len(q.allow) > 0 {
		spec["egressDeny"] = []any{
			tree{"toEntities": []any{"host", "remote-node", "unmanaged", "init"}},
			tree{"toEndpoints": anyPod},
			tree{"toCIDRSet": q.ciliumRest()},
		}
		spec["egress"] = q.ciliumAllow()
	}
	return made{object: o, body: q.body("cilium.io/v2", "CiliumNetworkPolicy", o, spec), what: "makes a CiliumNetworkPolicy whose denial wins over whatever allows this pod something"}
}

// ciliumRest is the whole of IPv4 and IPv6 but what is allowed.
func (q quarantine) ciliumRest() []any {
	v4, v6 := []any{}, []any{}
	for _, r := range q.allow {
		if r.Prefix.Addr().Is4() {
			v4 = append(v4, r.Prefix.String())
		} else {
			v6 = append(v6, r.Prefix.String())
		}
	}
	return []any{tree{"cidr": "0.0.0.0/0", "except": v4}, tree{"cidr": "::/0", "except": v6}}
}

func (q quarantine) ciliumAllow() []any {
	rules := []any{}
	for _, r := range q.allow {
		rule := tree{"toCIDR": []any{r.Prefix.String()}}
		if p := protocol(r); p != "" {
			rule["toPorts"] = []any{tree{"ports": []any{tree{"port": fmt.Sprint(r.Port), "protocol": p}}}}
		}
		if !icmp(r) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// calicoOrder is before any order that people give their policies.
const calicoOrder = -1e6

func (q quarantine) calico(group, version string) made {
	// Calico keeps a policy's tier before its name, also where one leaves it out.
	o := kube.Object{Group: group, Version: version, Resource: "networkpolicies", Namespace: q.pod.Namespace, Name: "default." + q.name("hold")}
	egress := []any{}
	for _, r := range q.allow {
		to := tree{"nets": []any{r.Prefix.String()}}
		rule := tree{"action": "Allow", "destination": to}
		if r.Port != 0 {
			to["ports"] = []any{r.Port}
		}
		switch p := protocol(r); {
		case p != "":
			rule["protocol"] = p
		case r.Proto == unix.IPPROTO_ICMP:
			rule["protocol"] = "ICMP"
		case r.Proto == unix.IPPROTO_ICMPV6:
			rule["protocol"] = "ICMPv6"
		}
		egress = append(egress, rule)
	}
	spec := tree{
		"tier": "default", "order": calicoOrder, "selector": fmt.Sprintf("%s == '%s'", LabelHold, q.hold), "types": []any{"Ingress", "Egress"},
		"ingress": []any{tree{"action": "Deny"}}, "egress": append(egress, tree{"action": "Deny"}),
	}
	return made{object: o, body: q.body(group+"/"+version, "NetworkPolicy", o, spec), what: "makes a Calico NetworkPolicy that comes before all others and denies"}
}

// admin is an AdminNetworkPolicy of the first priority. It knows pods and
// networks, and says nothing of the node itself.
func (q quarantine) admin() made {
	o := kube.Object{Group: "policy.networking.k8s.io", Version: "v1alpha1", Resource: "adminnetworkpolicies", Name: q.name("hold")}
	egress := []any{}
	for _, r := range q.allow {
		rule := tree{"action": "Allow", "to": []any{tree{"networks": []any{r.Prefix.String()}}}}
		if r.Port != 0 {
			rule["ports"] = []any{tree{"portNumber": tree{"protocol": protocol(r), "port": r.Port}}}
		}
		if r.Port != 0 || r.Proto == 0 {
			egress = append(egress, rule)
		}
	}
	egress = append(egress, tree{"action": "Deny", "to": []any{tree{"namespaces": tree{}}, tree{"networks": []any{"0.0.0.0/0", "::/0"}}}})
	spec := tree{
		"priority": 0,
		"subject": tree{"pods": tree{
			"namespaceSelector": tree{"matchLabels": tree{"kubernetes.io/metadata.name": q.pod.Namespace}}, "podSelector": q.selector(),
		}},
		"ingress": []any{tree{"action": "Deny", "from": []any{tree{"namespaces": tree{}}}}},
		"egress":  egress,
	}
	return made{object: o, body: q.body("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", o, spec), what: "makes an AdminNetworkPolicy of the first priority that denies"}
}
