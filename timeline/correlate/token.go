package correlate

import (
	"cmp"
	"slices"
	"strings"

	"amber/timeline"
)

// tokenUse is what is known of where a token was used.
type tokenUse struct {
	pod  int32
	node string
	from []usedFrom
}

// usedFrom is an address, and the place of the link that says so.
type usedFrom struct{ address, link int32 }

// maxAddresses is from how many addresses the use of one credential is told
// apart.
const maxAddresses = 256

// token reads the credential of a request.
func (b *builder) token(r *row) {
	name := r.token()
	if name == "" {
		return
	}
	token := b.entity(Ref{Token, name}, r)
	if token == none {
		return
	}
	account := principal(r.field(timeline.UserName))
	b.link(TokenOf, token, b.entityAt(account, r.Time), Certain, "the API server says so", r)
	use := b.tokens[token]
	if use == nil {
		use = &tokenUse{pod: none}
		b.tokens[token] = use
	}
	if pod := r.text(userExtra + "pod-name"); pod != "" && account.Kind == Account {
		ns, _, _ := strings.Cut(account.Name, "/")
		use.pod = b.entity(Ref{Pod, ns + "/" + pod}, r)
		b.link(BoundTo, token, use.pod, Certain, "the API server says so", r)
	}
	if node := r.text(userExtra + "node-name"); node != "" {
		if use.node != node {
			use.node = strings.Clone(node)
		}
		if use.pod != none {
			b.link(OnNode, use.pod, b.entity(Ref{Node, node}, r), Certain, "its token says so", r)
		}
	}
	use.from = b.usedFrom(use.from, token, r)
}

// usedFrom notes from which address a credential was used.
func (b *builder) usedFrom(seen []usedFrom, credential int32, r *row) []usedFrom {
	ip := address(r.field(timeline.SourceIP))
	if ip == "" {
		return seen
	}
	from := b.entity(Ref{Address, ip}, r)
	known := slices.ContainsFunc(seen, func(u usedFrom) bool { return u.address == from })
	if !known && len(seen) >= maxAddresses {
		b.lost["addresses of one credential"]++
		return seen
	}
	if l := b.link(UsedFrom, credential, from, Certain, "the request came from there", r); l != nil && !known {
		at, _ := b.findLink(UsedFrom, credential, from)
		seen = append(seen, usedFrom{from, at})
	}
	return seen
}

// issued reads a request for a token.
func (b *builder) issued(r *row, who int32) {
	name := r.text(issuedToken)
	account := b.entity(r.target(), r)
	if name == "" {
		b.link(IssuedTo, who, account, Certain, "the request asks for a token of the account", r)
		return
	}
	token := b.entity(Ref{Token, name}, r)
	b.link(IssuedTo, who, token, Certain, "the answer names the token", r)
	b.link(TokenOf, token, account, Certain, "the request asks for it", r)
	if kind, rest, ok := strings.Cut(r.text(madeObject+"bound_to"), " "); ok && kind == "Pod" {
		pod, _, _ := strings.Cut(rest, " ")
		b.link(BoundTo, token, b.entity(Ref{Pod, r.field(timeline.OrchestratorNamespace) + "/" + pod}, r), Certain, "the request asks for it", r)
	}
}

// settleTokens marks what was used from an address that is neither its pod's
// nor its node's. Where nothing else tells the pod's address, it is that from
// which its token was used first.
func (b *builder) settleTokens() {
	known := b.addresses()
	for _, use := range b.tokens {
		if use.pod == none || len(use.from) == 0 {
			continue
		}
		own := known[use.pod]
		if node, ok := b.find(Ref{Node, use.node}); ok {
			own = slices.Concat(own, known[node])
		}
		var why string
		if len(own) > 0 {
			why = "the address is neither that of " + b.g.Entities[use.pod].String() + " nor that of a node, as far as they are known"
		} else {
			home := b.firstFrom(use)
			own = []string{b.g.Entities[home.address].Name}
			why = "the token was used first from " + own[0] + ", and this is another address, of no node that is known"
			if l := b.linkAt(home.link); !isLocal(own[0]) && !b.nodeIPs[own[0]] {
				b.linkRow(HasAddress, use.pod, home.address, Likely, "its token was used first from there", l.First, l.rows[0])
			}
		}
		b.markForeign(use, own, why)
	}
}

// firstFrom is the address from which a token was used first.
func (b *builder) firstFrom(use *tokenUse) usedFrom {
	return slices.MinFunc(use.from, func(x, y usedFrom) int {
		a, c := b.linkAt(x.link).First, b.linkAt(y.link).First
		return cmp.Or(cmp.Compare(a.Micros, c.Micros), cmp.Compare(a.Nanos, c.Nanos), strings.Compare(b.g.Entities[x.address].Name, b.g.Entities[y.address].Name))
	})
}

// addresses are those of pods and nodes, as far as something else than their
// tokens tells them.
func (b *builder) addresses() map[int32][]string {
	m := map[int32][]string{}
	b.eachLink(func(l *Link) {
		if l.Kind == HasAddress {
			m[int32(l.From)] = append(m[int32(l.From)], b.g.Entities[l.To].Name)
		}
	})
	return m
}

func (b *builder) markForeign(use *tokenUse, own []string, why string) {
	for _, u := range use.from {
		if ip := b.g.Entities[u.address].Name; !slices.Contains(own, ip) && !isLocal(ip) && !b.nodeIPs[ip] {
			b.linkAt(u.link).Odd = why
		}
	}
}
