package correlate

import (
	"strings"
)

// podSession finds the pod whose name a session has: Pod Identity calls them
// eks-CLUSTER-POD-UUID, where a cluster's name may have dashes too.
func podSession(session string, pods map[string]int32) int32 {
	if !strings.HasPrefix(session, "eks-") || len(session) < 45 {
		return none
	}
	for rest := session[:len(session)-37]; ; {
		_, after, ok := strings.Cut(rest, "-")
		if !ok {
			return none
		}
		if pod, ok := pods[after]; ok {
			return pod
		}
		rest = after
	}
}

// podsByName are the pods whose name only one namespace has.
func (b *builder) podsByName() map[string]int32 {
	m := map[string]int32{}
	for i := range b.g.Entities {
		if e := &b.g.Entities[i]; e.Kind == Pod {
			_, name, _ := strings.Cut(e.Name, "/")
			if _, twice := m[name]; twice {
				m[name] = none
			} else {
				m[name] = int32(i)
			}
		}
	}
	return m
}

// settleSessions marks the use of a session from an address that is not the
// one that it was opened from, nor its machine's.
func (b *builder) settleSessions() {
	pods := b.podsByName()
	home := b.firstOpenings()
	for session, use := range b.sessions {
		b.settleOpening(session, use, pods)
		b.markOpening(session, use, home)
		switch {
		case use.opened != "" && (use.openedBy != none || use.instance != "" || use.signedIn):
			b.markSession(use, use.opened, "it was opened from "+use.opened)
		case use.instance != "" && len(use.from) > 1:
			first := b.g.Entities[use.from[0].address].Name
			b.markSession(use, first, "it is that of the machine "+use.instance+" and was first used from "+first)
		case use.openedBy != none && len(use.from) > 1:
			first := b.g.Entities[use.from[0].address].Name
			b.markSession(use, first, "it is that of the account "+b.g.Entities[use.openedBy].Name+" and was first used from "+first)
		}
	}
}

// firstOpenings are the addresses from which accounts of the cluster opened
// their first sessions.
func (b *builder) firstOpenings() map[int32]*sessionUse {
	first := map[int32]*sessionUse{}
	for _, use := range b.sessions {
		if use.openedBy == none || use.opened == "" {
			continue
		}
		old := first[use.openedBy]
		if old == nil || before(use.openedAt, old.openedAt) || use.openedAt == old.openedAt && use.opened < old.opened {
			first[use.openedBy] = use
		}
	}
	return first
}

// markOpening marks a session that an account opened from another address than
// its first.
func (b *builder) markOpening(session int32, use *sessionUse, first map[int32]*sessionUse) {
	home := first[use.openedBy]
	if home == nil || use.opened == "" || use.opened == home.opened || b.nodeIPs[use.opened] {
		return
	}
	if i, ok := b.findLink(Opened, use.openedBy, session); ok {
		b.linkAt(i).Odd = "it was opened from " + use.opened + ", the account's first session from " + home.opened + ", and the former is of no node that is known"
	}
}

// settleOpening finds who opened a session of which only role and name tell.
func (b *builder) settleOpening(session int32, use *sessionUse, pods map[string]int32) {
	l, ok := b.findLink(OfRole, session, use.role)
	if !ok || use.name == "" {
		return
	}
	at, row := b.linkAt(l).First, b.linkAt(l).rows[0]
	for _, o := range b.openings[b.g.Entities[use.role].Name+"/"+use.name] {
		if before(at, o.time) {
			continue // it was used before
		}
		if o.ours {
			use.opened, use.openedBy = o.from, o.opener
		}
		b.linkRow(Opened, o.opener, session, Likely, "it has the role and the name of the session that was opened; the answer with its key was not recorded"+o.why, o.time, o.row)
	}
	b.linkRow(Opened, podSession(use.name, pods), session, Likely, "the session's name holds the pod's, as Pod Identity makes them", at, row)
}

func (b *builder) markSession(use *sessionUse, home, why string) {
	for _, u := range use.from {
		if ip := b.g.Entities[u.address].Name; ip != home && !b.nodeIPs[ip] {
			b.linkAt(u.link).Odd = why + ", and this is another address, of no node that is known"
		}
	}
}
