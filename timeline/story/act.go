package story

import (
	"strings"

	"amber/timeline"
	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// act is what one event is in the words of a sentence.
type act struct {
	tactic, technique string
	level             detect.Level
	verb              verb
	noun, nouns       string   // "secret", "secrets"; "" where the object stands alone
	object            string   // its name
	answer            []string // the objects that a list gave
	kind              correlate.Kind
	in                string // the namespace that the object is in
	code              string // a command
	tool              string // its program, where commands of one are told together
	where             correlate.Ref
	detail            string // "privileged, host path /"
	failed            string // why it did not succeed
	own               bool   // it stands out by itself, without a rule
}

// verb is "create", "created".
type verb struct{ base, past string }

// view is a row as acts are made of it.
type view struct {
	timeline.Row
	mentions []correlate.Mention
	origin   correlate.Origin // of the process, where one is known
	asker    correlate.Ref    // who asked for what started it
}

func (v *view) text(name string) string {
	switch x := v.Values[name].(type) {
	case string:
		return x
	case []string:
		if len(x) > 0 {
			return x[0]
		}
	}
	return ""
}

func (v *view) tag(name string) bool {
	tags, _ := v.Values["tags"].([]string)
	for _, t := range tags {
		if t == name {
			return true
		}
	}
	return false
}

// role is the first entity that has a role in the event.
func (v *view) role(role correlate.Role, kinds ...correlate.Kind) correlate.Ref {
	for _, m := range v.mentions {
		if m.Role != role {
			continue
		}
		if len(kinds) == 0 {
			return m.Ref
		}
		for _, k := range kinds {
			if m.Kind == k {
				return m.Ref
			}
		}
	}
	return correlate.Ref{}
}

// actOf tells what an event is, and whether it stands out by itself.
func actOf(v *view) act {
	var a act
	switch dataset := v.text("event.dataset"); dataset {
	case "kubernetes.audit_logs":
		a = kubeAct(v)
	case "aws.cloudtrail":
		a = cloudAct(v)
	default:
		a = hostAct(v, dataset)
	}
	a.own = a.tactic != ""
	if v.text("event.outcome") == "failure" && v.text("error.code") != "EINPROGRESS" { // which a connect has that waits
		a.failed = why(v)
		a.level = min(a.level, detect.Medium)
	}
	if a.verb.past == "" {
		a.verb = verbOf(v.text("event.action"))
	}
	return a
}

// requesting is what a server's log tells of who asked it for something.
var requesting = verb{"make a request", "made a request"}

// verbs of actions.
var verbs = [...]struct {
	action string
	verb
}{
	{"create", verb{"create", "created"}},
	{"update", verb{"update", "updated"}},
	{"patch", verb{"patch", "patched"}},
	{"delete", verb{"delete", "deleted"}},
	{"deletecollection", verb{"delete all", "deleted all"}},
	{"list", verb{"list", "listed"}},
	{"watch", verb{"watch", "watched"}},
	{"request", requesting},
	{"connected-to", verb{"connect to", "connected to"}},
	{"opened-file", verb{"open the file", "opened the file"}},
	{"wrote-to-file", verb{"write to the file", "wrote to the file"}},
	{"deleted", verb{"delete", "deleted"}},
	{"renamed", verb{"rename", "renamed"}},
	{"linked", verb{"link", "linked"}},
	{"symlinked", verb{"link", "linked"}},
	{"mounted", verb{"mount", "mounted"}},
	{"unmounted", verb{"unmount", "unmounted"}},
	{"bound-socket", verb{"bind a socket", "bound a socket"}},
	{"changed-file-permissions-of", verb{"change the permissions of", "changed the permissions of"}},
	{"changed-file-ownership-of", verb{"change the owner of", "changed the owner of"}},
	{"changed-audit-configuration", verb{"change the audit configuration", "changed the audit configuration"}},
	{"logged-in", verb{"log in", "logged in"}},
	{"ran-command", verb{"run", "ran"}},
}

// why an event failed, in a few words.
func why(v *view) string {
	if n, ok := v.Values["http.response.status_code"].(int64); ok {
		switch n {
		case 401, 403:
			return "refused"
		case 404:
			return "not found"
		case 409:
			return "conflict"
		}
	}
	if code := v.text("error.code"); code != "" {
		return code
	}
	return "failed"
}

// verbOf makes words of an action that has none of its own.
func verbOf(action string) verb {
	switch action {
	case "":
		return verb{"do something", "did something"}
	case "executed":
		return verb{"run", "ran"}
	case "get":
		return verb{"read", "read"}
	}
	for _, v := range verbs {
		if action == v.action {
			return v.verb
		}
	}
	words := strings.ReplaceAll(action, "-", " ")
	return verb{"do: " + words, "did: " + words}
}
