package story

import (
	"fmt"
	"strings"

	"amber/timeline/correlate"
	"amber/timeline/detect"
)

// kubeAct tells what a request to the API server is.
func kubeAct(v *view) act {
	resource, ns, name := v.text("orchestrator.resource.type"), v.text("orchestrator.namespace"), v.text("orchestrator.resource.name")
	action := v.text("event.action")
	a := act{verb: verbOf(action), object: name, in: ns}
	a.noun, a.nouns = nounsOf(resource)
	if ref := v.role(correlate.Target); ref.Name != "" {
		a.kind = ref.Kind
	}
	switch action {
	case "exec", "attach", "port-forward":
		return a.session(v, action)
	}
	if resource == "" {
		a.code, _, _ = strings.Cut(v.text("url.original"), "?")
	}
	if a.kube(v, resource, action) && (isServer(v) || isComponent(v) && a.level < detect.High) {
		a.tactic = "" // components do such things all day; what is worse is told whoever does it
	}
	return a
}

func (a act) session(v *view, action string) act {
	a.where = v.role(correlate.Target, correlate.Pod)
	a.noun, a.nouns, a.object, a.in = "", "", "", ""
	a.code = v.text("process.command_line")
	a.tactic, a.technique, a.level = "execution", "T1609", detect.High
	switch {
	case action == "port-forward":
		a.verb = verb{"forward ports", "forwarded ports"}
		a.tactic, a.technique, a.level = "command-and-control", "T1572", detect.Medium
		a.detail = v.text("kubernetes.audit.portforward.ports")
	case action == "attach":
		a.verb = verb{"attach to a process", "attached to a process"}
	case a.code == "":
		a.verb = verb{"run something", "ran something"}
	default:
		a.verb = verb{"run", "ran"}
	}
	if c := v.text("container.name"); c != "" {
		a.detail = strings.TrimPrefix(a.detail+", container "+c, ", ")
	}
	return a
}

// sign is what an act is for, by ATT&CK.
type sign struct {
	tactic, technique string
	level             detect.Level
}

func (a *act) is(s sign) bool {
	a.tactic, a.technique, a.level = s.tactic, s.technique, s.level
	return true
}

// kube finds what a request is for; false where it does not stand out.
func (a *act) kube(v *view, resource, action string) bool {
	writes := action == "create" || action == "update" || action == "patch"
	sub := v.text("kubernetes.audit.objectRef.subresource")
	switch {
	case v.tag("anonymous") && strings.HasPrefix(v.text("url.original"), "/api"):
		return a.is(sign{"initial-access", "T1078.001", detect.Medium})
	case resource == "secrets" && (v.tag("secret-list") || v.tag("secret-read") || action == "get" || action == "list"):
		if names := v.text("kubernetes.audit.responseObject.items.metadata.name"); names != "" {
			a.answer = strings.Split(names, ",")
		}
		return a.is(sign{"credential-access", "T1552.007", detect.Medium})
	case sub == "token" && action == "create":
		a.noun, a.nouns = "token of the service account", "tokens of service accounts"
		a.verb = verb{"request", "requested"}
		return a.is(sign{"credential-access", "T1528", detect.Low})
	case writes && strings.HasSuffix(resource, "rolebindings"):
		return a.binding(v)
	case writes && (resource == "roles" || resource == "clusterroles"):
		a.detail = v.text("kubernetes.audit.requestObject.rules")
		if v.tag("wildcard-grant") || v.tag("escalation-verbs") {
			return a.is(sign{"privilege-escalation", "T1098.006", detect.High})
		}
		return a.is(sign{"persistence", "T1098.006", detect.Low})
	case writes && (sub == "" || sub == "ephemeralcontainers") && isWorkload(resource):
		return a.workload(v, resource, action)
	case strings.HasPrefix(action, "delete"):
		return a.deletion(resource)
	case action == "create" && strings.HasPrefix(resource, "selfsubject"):
		a.verb, a.noun, a.nouns = verb{"ask what it may do", "asked what it may do"}, "", ""
		return a.is(sign{"discovery", "T1613", detect.Low})
	case action == "create" && resource == "serviceaccounts":
		return a.is(sign{"persistence", "T1136", detect.Low})
	case writes && strings.HasSuffix(resource, "webhookconfigurations"):
		return a.is(sign{"persistence", "T1546", detect.Medium})
	case v.tag("proxy"):
		return a.is(sign{"lateral-movement", "T1210", detect.Low})
	}
	return false
}

func (a *act) binding(v *view) bool {
	role, to := v.text("kubernetes.audit.requestObject.roleRef.name"), v.text("kubernetes.audit.requestObject.subjects")
	if role != "" {
		a.detail = "which gives " + role + " to " + to
	}
	if v.tag("cluster-admin") {
		return a.is(sign{"privilege-escalation", "T1098.006", detect.Critical})
	}
	if v.text("orchestrator.resource.type") == "clusterrolebindings" {
		return a.is(sign{"privilege-escalation", "T1098.006", detect.High})
	}
	return a.is(sign{"privilege-escalation", "T1098.006", detect.Medium})
}

// dangers are the tags of pods that reach out of their container, in words.
var dangers = [...]struct{ tag, words string }{
	{"privileged", "privileged"},
	{"host-pid", "in the host's PID namespace"},
	{"host-network", "in the host's network"},
	{"host-ipc", "in the host's IPC namespace"},
	{"host-path", "with the host's path"},
	{"added-capabilities", "with added capabilities"},
}

func (a *act) workload(v *view, resource, action string) bool {
	var words []string
	for _, d := range dangers {
		if v.tag(d.tag) {
			words = append(words, strings.TrimSpace(d.words+" "+about(v, d.tag)))
		}
	}
	if image := v.text("container.image.name"); image != "" {
		words = append(words, "of the image "+image)
	}
	a.detail = strings.Join(words, ", ")
	risky := v.tag("privileged") || v.tag("host-pid") || v.tag("host-path") || v.tag("host-network")
	switch {
	case v.tag("ephemeral-container"):
		return a.is(sign{"execution", "T1609", detect.High})
	case risky && action == "create":
		return a.is(sign{"privilege-escalation", "T1611", detect.High})
	case resource == "cronjobs" || resource == "jobs" && action == "create":
		return a.is(sign{"persistence", "T1053.007", detect.Medium})
	case resource == "daemonsets":
		return a.is(sign{"persistence", "T1543.005", detect.Medium})
	case action == "create":
		return a.is(sign{"execution", "T1610", detect.Low})
	}
	return false
}

func about(v *view, tag string) string {
	switch tag {
	case "host-path":
		return v.text("kubernetes.audit.requestObject.spec.volumes.hostPath.path")
	case "added-capabilities":
		return v.text("kubernetes.audit.requestObject.spec.containers.securityContext.capabilities.add")
	}
	return ""
}

func (a *act) deletion(resource string) bool {
	switch resource {
	case "events":
		return a.is(sign{"defense-evasion", "T1070", detect.High})
	case "pods":
		return a.is(sign{"defense-evasion", "T1070", detect.Low})
	case "leases", "endpoints", "endpointslices":
		return false
	case "secrets", "configmaps", "namespaces", "persistentvolumes", "persistentvolumeclaims", "deployments", "statefulsets", "daemonsets":
		return a.is(sign{"impact", "T1485", detect.Medium})
	}
	return a.is(sign{"defense-evasion", "T1070", detect.Low})
}

func isWorkload(resource string) bool {
	switch resource {
	case "pods", "deployments", "daemonsets", "statefulsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs":
		return true
	}
	return false
}

// isServer tells the API server's and its controllers' own users, whom nobody
// else can be without their keys. What rules find of them is told all the same.
func isServer(v *view) bool {
	if v.text("user.effective.name") != "" {
		return false
	}
	switch user := v.text("user.name"); user {
	case "system:apiserver", "system:kube-controller-manager", "system:kube-scheduler":
		return true
	default:
		return strings.HasPrefix(user, "system:serviceaccount:kube-system:") && strings.HasSuffix(user, "-controller")
	}
}

// isComponent tells the cluster's own controllers. An agent's name is only
// what the client says of itself, so it excuses nothing that is worse.
func isComponent(v *view) bool {
	if v.text("user.effective.name") != "" {
		return false
	}
	user, agent := v.text("user.name"), v.text("user_agent.original")
	for _, p := range []string{"system:apiserver", "system:kube-", "system:node:", "system:serviceaccount:kube-system:"} {
		if strings.HasPrefix(user, p) {
			return true
		}
	}
	for _, p := range []string{"kube-apiserver/", "kube-controller-manager/", "kube-scheduler/", "kubelet/", "cloud-controller-manager/"} {
		if strings.HasPrefix(agent, p) {
			return true
		}
	}
	return false
}

// nounsOf are the words for a resource.
func nounsOf(resource string) (one, many string) {
	switch resource {
	case "":
		return "", ""
	case "clusterrolebindings":
		return "cluster role binding", "cluster role bindings"
	case "rolebindings":
		return "role binding", "role bindings"
	case "clusterroles":
		return "cluster role", "cluster roles"
	case "serviceaccounts":
		return "service account", "service accounts"
	case "cronjobs":
		return "cron job", "cron jobs"
	case "replicasets":
		return "replica set", "replica sets"
	case "networkpolicies":
		return "network policy", "network policies"
	case "endpoints", "ingresses":
		return resource, resource
	}
	return strings.TrimSuffix(resource, "s"), resource
}

// plural counts: "1 secret", "12 secrets".
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
