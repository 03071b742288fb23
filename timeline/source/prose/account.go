package prose

import (
	"bytes"

	"amber/timeline"
)

// accounts are the beginnings of what shadow's programs say.
var accounts = [...]struct{ begins, action, category, kind string }{
	{"new user: name=", "added-user-account", "iam", "creation"},
	{"new group: name=", "added-group-account", "iam", "creation"},
	{"group added to /etc/group: name=", "added-group-account", "iam", "creation"},
	{"group added to /etc/gshadow: name=", "added-group-account", "iam", "creation"},
	{"failed adding user '", "added-user-account", "iam", "creation"},
	{"removed group '", "deleted-group-account", "iam", "deletion"},
	{"removed shadow group '", "deleted-group-account", "iam", "deletion"},
	{"changed password expiry for ", "modified-user-account", "iam", "change"},
	{"changed user '", "modified-user-account", "iam", "change"},
	{"delete user '", "deleted-user-account", "iam", "deletion"},
	{"group '", "deleted-group-account", "iam", "deletion"},
	{"add '", "added-user-to-group", "iam", "change"},
	{"delete '", "removed-user-from-group", "iam", "change"},
	{"change user '", "modified-user-account", "iam", "change"},
	{"changed password for '", "changed-password", "iam", "change"},
	{"lock user '", "modified-user-account", "iam", "change"},
	{"unlock user '", "modified-user-account", "iam", "change"},
	{"password for '", "changed-password", "iam", "change"},
}

func (r *Reader) account(m []byte) bool {
	e := r.E
	if r.member(m) {
		return true
	}
	for _, a := range accounts {
		rest, ok := has(m, a.begins)
		if !ok {
			continue
		}
		e.Const(timeline.EventAction, a.action)
		r.kinds(a.category, a.kind)
		r.outcome(!bytes.Contains(m, []byte("failed")))
		name := rest[:len(rest)-len(bytes.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$@+"))]
		e.Str(timeline.UserTargetName, name)
		if _, group, ok := cut(rest, " group '"); ok {
			e.Put("group.name", bytes.TrimRight(group, "'"))
		}
		if _, id, ok := cut(rest, "UID="); ok {
			id, _, _ = cut(id, ",")
			e.Put("user.target.id", id)
		}
		if _, shell, ok := cut(rest, "shell="); ok {
			shell, _, _ = cut(shell, ",")
			e.Put("system.auth.useradd.shell", shell)
		}
		if _, home, ok := cut(rest, "home="); ok {
			home, _, _ = cut(home, ",")
			e.Put("system.auth.useradd.home", home)
		}
		if _, by, ok := cut(rest, " changed by '"); ok {
			e.Str(timeline.UserName, bytes.TrimRight(by, "'"))
		}
		return true
	}
	return false
}

// member reads what gpasswd says: "user eve added by root to group docker".
func (r *Reader) member(m []byte) bool {
	rest, ok := has(m, "user ")
	name, rest, ok2 := cut(rest, " ")
	how, rest, ok3 := cut(rest, " by ")
	by, rest, _ := cut(rest, " ")
	_, group, ok4 := cut(rest, "group ")
	if !ok || !ok2 || !ok3 || !ok4 {
		return false
	}
	switch string(how) {
	case "added":
		r.E.Const(timeline.EventAction, "added-user-to-group")
	case "removed":
		r.E.Const(timeline.EventAction, "removed-user-from-group")
	default:
		return false
	}
	r.kinds("iam", "change")
	r.outcome(true)
	r.E.Str(timeline.UserName, by)
	r.E.Str(timeline.UserTargetName, name)
	r.E.Put("group.name", group)
	return true
}
