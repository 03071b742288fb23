package prose

import (
	"bytes"

	"amber/timeline"
)

// sshd reads what OpenSSH's server says. A name that a client chose may hold any
// words, so that what sshd wrote behind it is looked for from the end.
func (r *Reader) sshd(m []byte) bool {
	if rest, ok := has(m, "error: "); ok {
		m = rest
	}
	if rest, ok := has(m, "fatal: "); ok {
		m = rest
	}
	for _, f := range sshForms {
		if rest, ok := has(m, f.begins); ok {
			r.E.Const(timeline.EventAction, f.action)
			r.kinds("authentication", f.kind)
			if f.outcome != "" {
				r.E.Const(timeline.EventOutcome, f.outcome)
			}
			f.read(r, rest)
			return true
		}
	}
	return false
}

var sshForms = [...]struct {
	begins, action, kind, outcome string
	read                          func(r *Reader, rest []byte)
}{
	{"Accepted key ", "ssh_key", "info", "", (*Reader).sshKey}, // an offer; the proof is still to come
	{"Accepted certificate ", "ssh_key", "info", "", (*Reader).sshKey},
	{"Accepted ", "ssh_login", "start", "success", (*Reader).sshLogin},
	{"Failed ", "ssh_login", "start", "failure", (*Reader).sshLogin},
	{"Postponed ", "ssh_login", "start", "unknown", (*Reader).sshLogin},
	{"Partial ", "ssh_login", "start", "unknown", (*Reader).sshLogin},
	{"Invalid user ", "ssh_login", "start", "failure", (*Reader).sshInvalid},
	{"maximum authentication attempts exceeded for ", "ssh_login", "start", "failure", (*Reader).sshUserFrom},
	{"User child is on pid ", "ssh_child", "info", "", func(*Reader, []byte) {}},
	{"User ", "ssh_login", "denied", "failure", (*Reader).sshUser},
	{"input_userauth_request: invalid user ", "ssh_login", "start", "failure", (*Reader).sshUnknown},
	{"ROOT LOGIN REFUSED FROM ", "ssh_login", "denied", "failure", (*Reader).sshRoot},
	{"PAM ", "ssh_login", "start", "failure", (*Reader).sshMore},
	{"PAM: ", "ssh_login", "start", "failure", (*Reader).sshPAM},
	{"Authorized to ", "ssh_login", "info", "", (*Reader).sshAuthorized},
	{"Disconnecting: Too many authentication failures", "ssh_login", "denied", "failure", (*Reader).sshTooMany},
	{"Connection closed by ", "ssh_disconnect", "end", "", (*Reader).sshPeer},
	{"Connection reset by ", "ssh_disconnect", "end", "", (*Reader).sshPeer},
	{"Disconnected from ", "ssh_disconnect", "end", "", (*Reader).sshPeer},
	{"Disconnecting ", "ssh_disconnect", "end", "", (*Reader).sshPeer},
	{"Timeout before authentication for connection from ", "ssh_disconnect", "end", "failure", (*Reader).sshPeer},
	{"Timeout before authentication for ", "ssh_disconnect", "end", "failure", (*Reader).sshPeer},
	{"Received disconnect from ", "ssh_disconnect", "end", "", (*Reader).sshPeer},
	{"Connection from ", "ssh_connect", "start", "", (*Reader).sshPeer},
	{"drop connection ", "ssh_connect", "denied", "failure", (*Reader).sshDropped},
	{"refused connect from ", "ssh_connect", "denied", "failure", (*Reader).sshPeer},
	{"Unable to negotiate with ", "ssh_scan", "denied", "failure", (*Reader).sshPeer},
	{"reverse mapping checking getaddrinfo for ", "ssh_connect", "info", "", (*Reader).sshMapping},
	{"Address ", "ssh_connect", "info", "", (*Reader).sshPeer},
	{"Did not receive identification string from ", "ssh_scan", "denied", "failure", (*Reader).sshPeer},
	{"Bad protocol version identification ", "ssh_scan", "denied", "failure", (*Reader).sshFrom},
	{"banner exchange: Connection from ", "ssh_scan", "denied", "failure", (*Reader).sshPeer},
	{"kex_exchange_identification: ", "ssh_scan", "denied", "failure", func(*Reader, []byte) {}},
	{"Server listening on ", "ssh_listen", "start", "", (*Reader).sshListen},
	{"Starting session: ", "ssh_session", "start", "success", (*Reader).sshSession},
	{"Close session: ", "ssh_session", "end", "", (*Reader).sshSession},
	{"subsystem request for ", "ssh_subsystem", "start", "", (*Reader).sshSubsystem},
}

// sshLogin reads "publickey for root from 10.0.0.1 port 22 ssh2: ED25519 SHA256:…".
func (r *Reader) sshLogin(rest []byte) {
	method, rest, _ := cut(rest, " for ")
	r.E.Put("system.auth.ssh.method", method)
	rest = r.sshUserFrom2(rest)
	if _, key, ok := cut(rest, ": "); ok {
		r.E.Put("system.auth.ssh.signature", key)
	}
}

func (r *Reader) sshInvalid(rest []byte) {
	r.E.AddConst(timeline.Tags, "invalid-user")
	r.sshUserFrom2(rest)
}

func (r *Reader) sshUserFrom(rest []byte) { r.sshUserFrom2(rest) }

// sshUserFrom2 reads "[invalid user ]NAME from IP port N" and gives the rest.
func (r *Reader) sshUserFrom2(rest []byte) []byte {
	if name, ok := has(rest, "invalid user "); ok {
		r.E.AddConst(timeline.Tags, "invalid-user")
		rest = name
	}
	name, from, ok := cutLast(rest, " from ")
	if !ok {
		r.E.Str(timeline.UserName, bytes.Trim(rest, "'"))
		return nil
	}
	r.E.Str(timeline.UserName, bytes.Trim(name, "'"))
	return r.address(from)
}

// address reads "IP port N" or "IP" and gives what stands behind it.
func (r *Reader) address(b []byte) []byte {
	ip, rest := word(b)
	r.host(bytes.TrimRight(ip, ":,"))
	if after, ok := has(rest, "port "); ok {
		port, more := word(after)
		if i := bytes.IndexAny(port, ":]"); i >= 0 {
			port, more = port[:i], port[i:]
		}
		r.number(timeline.SourcePort, port)
		return more
	}
	return rest
}

// host sets where somebody comes from: an address or a name.
func (r *Reader) host(v []byte) {
	switch {
	case len(v) == 0:
	case isIP(v):
		r.E.Str(timeline.SourceIP, v)
	default:
		r.E.Str(timeline.SourceDomain, v)
	}
}

// sshUser reads "NAME from IP not allowed because …".
func (r *Reader) sshUser(rest []byte) {
	before, why, ok := cutLast(rest, " not allowed because ")
	if !ok {
		return
	}
	r.E.Str(timeline.EventReason, why)
	r.sshUserFrom2(before)
}

// sshPeer reads "[authenticating user |invalid user |user NAME ]IP port N…".
func (r *Reader) sshPeer(rest []byte) {
	for _, p := range [...]string{"authenticating user ", "invalid user ", "user "} {
		if after, ok := has(rest, p); ok {
			if p == "invalid user " {
				r.E.AddConst(timeline.Tags, "invalid-user")
			}
			before, port, ok := cutLast(after, " port ")
			name, ip, _ := cutLast(before, " ")
			if ok {
				r.E.Str(timeline.UserName, name)
				r.host(ip)
				port, _ = word(port)
				r.number(timeline.SourcePort, bytes.TrimRight(port, ":"))
			}
			return
		}
	}
	rest = r.address(rest)
	if to, ok := has(rest, "on "); ok { // the server's own side
		r.endpointWords(to)
	} else if to, ok := has(rest, "to "); ok {
		ip, _ := word(to)
		if ip = bytes.TrimRight(ip, ","); isIP(ip) {
			r.E.Str(timeline.DestinationIP, ip)
		}
	}
}

// sshListen reads "0.0.0.0 port 22.".
func (r *Reader) sshListen(rest []byte) {
	ip, rest := word(rest)
	r.E.Str(timeline.DestinationIP, ip)
	if port, ok := has(rest, "port "); ok {
		r.number(timeline.DestinationPort, bytes.TrimRight(port, "."))
	}
}

// sshSession reads "shell on pts/0 for root from 10.0.0.1 port 22 id 0".
func (r *Reader) sshSession(rest []byte) {
	what, who, ok := cut(rest, " for ")
	if !ok {
		r.address(afterFrom(rest))
		if user, _, ok := cut(afterWord(rest, "user "), " from "); ok {
			r.E.Str(timeline.UserName, user)
		}
		return
	}
	r.E.Put("system.auth.ssh.event", what)
	r.sshUserFrom2(who)
}

func afterFrom(b []byte) []byte {
	_, after, _ := cutLast(b, " from ")
	return after
}

func afterWord(b []byte, w string) []byte {
	_, after, _ := cut(b, w)
	return after
}

// sshSubsystem reads "sftp by user root".
func (r *Reader) sshSubsystem(rest []byte) {
	name, user, _ := cut(rest, " by user ")
	r.E.Put("system.auth.ssh.event", name)
	r.E.Str(timeline.UserName, user)
}

// isIP looks at the form alone.
func isIP(b []byte) bool {
	dots, colons := 0, 0
	for _, c := range b {
		switch {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f':
		default:
			return false
		}
	}
	return colons >= 2 || colons == 0 && dots == 3 && (b[0] < 'A')
}
