package prose

import (
	"bytes"

	"amber/timeline"
)

// What sshd says of less than a whole login.

// sshKey reads "ED25519 SHA256:… found at /root/.ssh/authorized_keys:3".
func (r *Reader) sshKey(rest []byte) {
	key, where, ok := cutLast(rest, " found at ")
	r.E.Put("system.auth.ssh.signature", key)
	if ok {
		path, _, _ := cutLast(where, ":")
		r.E.Str(timeline.FilePath, path)
	}
}

// sshUnknown reads "NAME [preauth]".
func (r *Reader) sshUnknown(rest []byte) {
	r.E.AddConst(timeline.Tags, "invalid-user")
	r.E.Str(timeline.UserName, bytes.TrimSuffix(rest, []byte(" [preauth]")))
}

// sshRoot reads "IP port N".
func (r *Reader) sshRoot(rest []byte) {
	r.E.Const(timeline.UserName, "root")
	r.address(rest)
}

// sshPAM reads "REASON for [illegal user ]NAME from HOST".
func (r *Reader) sshPAM(rest []byte) {
	why, who, ok := cut(rest, " for ")
	r.E.Str(timeline.EventReason, why)
	if !ok {
		return
	}
	if name, ok := has(who, "illegal user "); ok {
		r.E.AddConst(timeline.Tags, "invalid-user")
		who = name
	}
	r.sshUserFrom2(who)
}

// sshMore reads "2 more authentication failures; … rhost=10.0.0.1 user=root".
func (r *Reader) sshMore(rest []byte) {
	n, _ := word(rest)
	r.E.Put("log.repeated", n)
	if _, rest, ok := cut(rest, "; "); ok {
		r.pairs(rest)
	}
}

// sshAuthorized reads "NAME, krb5 principal PRINCIPAL (krb5_kuserok)".
func (r *Reader) sshAuthorized(rest []byte) {
	name, how, _ := cut(rest, ", ")
	r.E.Str(timeline.UserName, name)
	r.E.Put("system.auth.ssh.signature", how)
}

// sshTooMany reads " for NAME [preauth]".
func (r *Reader) sshTooMany(rest []byte) {
	r.E.Const(timeline.EventReason, "Too many authentication failures")
	if name, ok := has(bytes.TrimSuffix(rest, []byte(" [preauth]")), " for "); ok {
		r.E.Str(timeline.UserName, name)
	}
}

// sshDropped reads "#10 from [IP]:PORT on [IP]:PORT past MaxStartups".
func (r *Reader) sshDropped(rest []byte) {
	_, from, _ := cut(rest, "from ")
	peer, more := word(from)
	r.endpoint(timeline.SourceIP, timeline.SourcePort, peer)
	if on, ok := has(more, "on "); ok {
		own, why := word(on)
		r.endpoint(timeline.DestinationIP, timeline.DestinationPort, own)
		r.E.Str(timeline.EventReason, why)
	}
}

// sshMapping reads "NAME [IP] failed - POSSIBLE BREAK-IN ATTEMPT!".
func (r *Reader) sshMapping(rest []byte) {
	name, ip := word(rest)
	r.E.Str(timeline.SourceDomain, name)
	ip, _, _ = cut(bytes.TrimLeft(ip, "["), "]")
	if isIP(ip) {
		r.E.Str(timeline.SourceIP, ip)
	}
}

// sshFrom reads "'what was sent' from IP port N".
func (r *Reader) sshFrom(rest []byte) {
	what, from, _ := cutLast(rest, " from ")
	r.E.Str(timeline.EventReason, bytes.Trim(what, "'"))
	r.address(from)
}

// endpointWords reads "IP port N…" into the destination.
func (r *Reader) endpointWords(b []byte) {
	ip, rest := word(b)
	if !isIP(ip) {
		return
	}
	r.E.Str(timeline.DestinationIP, ip)
	if port, ok := has(rest, "port "); ok {
		port, _ = word(port)
		r.number(timeline.DestinationPort, port)
	}
}

// sftp reads what sftp-server says of files, `open "/x" flags READ mode 0666`.
func (r *Reader) sftp(m []byte) bool {
	for _, f := range [...]struct{ begins, action, kind string }{
		{"open ", "opened-file", "access"},
		{"opendir ", "opened-directory", "access"},
		{"remove name ", "deleted", "deletion"},
		{"rmdir name ", "deleted", "deletion"},
		{"mkdir name ", "created-directory", "creation"},
		{"rename old ", "renamed", "change"},
		{"posix-rename old ", "renamed", "change"},
		{"symlink old ", "symlinked", "creation"},
		{"set ", "changed-file-attributes-of", "change"},
	} {
		rest, ok := has(m, f.begins)
		i := bytes.IndexByte(rest, '"')
		if !ok || i < 0 {
			continue
		}
		path, more, ok := quoted(rest[i:])
		if !ok {
			return false
		}
		r.E.Const(timeline.EventAction, f.action)
		r.kinds("file", f.kind)
		r.E.Str(timeline.FilePath, r.unquoted(path))
		if to, ok := has(more, "new "); ok {
			to, _, _ = quoted(to)
			r.E.Put("file.target_path", to)
		}
		return true
	}
	if rest, ok := has(m, "session opened for local user "); ok {
		user, from, _ := cutLast(rest, " from ")
		r.E.Const(timeline.EventAction, "sftp_session")
		r.kinds("session", "start")
		r.E.Str(timeline.UserName, user)
		r.host(bytes.Trim(from, "[]"))
		return true
	}
	return false
}

// dropbear reads what Dropbear says of logins: "Password auth succeeded for
// 'root' from 203.0.113.9:50100".
func (r *Reader) dropbear(m []byte) bool {
	for _, f := range [...]struct{ begins, action, kind, outcome, method string }{
		{"Password auth succeeded for ", "ssh_login", "start", "success", "password"},
		{"PAM password auth succeeded for ", "ssh_login", "start", "success", "password"},
		{"Pubkey auth succeeded for ", "ssh_login", "start", "success", "publickey"},
		{"Auth succeeded with blank password for ", "ssh_login", "start", "success", "none"},
		{"Bad password attempt for ", "ssh_login", "start", "failure", "password"},
		{"Bad PAM password attempt for ", "ssh_login", "start", "failure", "password"},
		{"Login attempt for nonexistent user", "ssh_login", "start", "failure", ""},
		{"Login attempt with wrong user ", "ssh_login", "start", "failure", ""},
		{"User ", "ssh_login", "denied", "failure", ""},
		{"Child connection from ", "ssh_connect", "start", "", ""},
		{"Exit ", "ssh_disconnect", "end", "", ""},
		{"Max auth tries reached - user ", "ssh_login", "denied", "failure", ""},
	} {
		rest, ok := has(m, f.begins)
		if !ok {
			continue
		}
		r.E.Const(timeline.EventAction, f.action)
		r.kinds("authentication", f.kind)
		if f.outcome != "" {
			r.E.Const(timeline.EventOutcome, f.outcome)
		}
		if f.method != "" {
			r.E.PutConst("system.auth.ssh.method", f.method)
		}
		r.dropbearPeer(f.begins, rest)
		return true
	}
	return false
}

// dropbearPeer finds the name in quotes or brackets, and the address at the end.
func (r *Reader) dropbearPeer(begins string, rest []byte) {
	before, from, ok := cutLast(rest, " from ")
	if !ok {
		before, from = nil, rest
	}
	peer, _ := word(from)
	r.endpoint(timeline.SourceIP, timeline.SourcePort, bytes.Trim(bytes.TrimRight(peer, ":,"), "<>"))
	if name, ok := has(before, "'"); ok {
		name, key, _ := cutLast(name, "'")
		r.E.Str(timeline.UserName, name)
		if key, ok := has(key, " with "); ok {
			r.E.Put("system.auth.ssh.signature", key)
		}
	} else if name, ok := has(before, "("); ok && begins == "Exit " {
		name, _, _ = cutLast(name, ")")
		r.E.Str(timeline.UserName, name)
	}
	if begins[0] == 'L' {
		r.E.AddConst(timeline.Tags, "invalid-user")
	}
}
