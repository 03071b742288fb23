package kube

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"amber/container/kube"
)

const (
	admissionGroup = "admissionregistration.k8s.io"
	podUIDClaim    = "authentication.kubernetes.io/pod-uid"
)

// admission makes a ValidatingAdmissionPolicy and its binding.
func (q quarantine) admission(what, sentence, proves string, spec tree) []made {
	policy := kube.Object{Group: admissionGroup, Version: "v1", Resource: "validatingadmissionpolicies", Name: q.name(what)}
	binding := policy
	binding.Resource = "validatingadmissionpolicybindings"
	return []made{
		{object: policy, body: q.body(admissionGroup+"/v1", "ValidatingAdmissionPolicy", policy, spec), what: "makes an admission policy, which does nothing without its binding"},
		{
			object: binding, proves: proves, what: sentence,
			body: q.body(admissionGroup+"/v1", "ValidatingAdmissionPolicyBinding", binding, tree{"policyName": policy.Name, "validationActions": []any{"Deny"}}),
		},
	}
}

func rule(operations []any, group, version string, resources ...any) tree {
	return tree{"apiGroups": []any{group}, "apiVersions": []any{version}, "operations": operations, "resources": resources}
}

func (q quarantine) here() tree {
	return tree{"matchLabels": tree{"kubernetes.io/metadata.name": q.pod.Namespace}}
}

// until ends the message of a refusal. The hold tells it from that of an earlier
// hold of the same pod, which outlives its policy by a second or so.
func (q quarantine) until() string {
	return fmt.Sprintf("by amber, case %s, until amber isolate release (hold %s)", q.caze, q.hold)
}

func denial(message string) []any {
	return []any{tree{"expression": "false", "message": message, "reason": "Forbidden"}}
}

// hold refuses the pod's deletion and eviction by anybody. The pod is known by
// its uid, which nobody can change, and for an eviction, which shows the pod's
// name alone, by that.
func (q quarantine) holdPolicy() []made {
	spec := tree{
		"failurePolicy": "Fail",
		"matchConstraints": tree{
			"namespaceSelector": q.here(),
			"resourceRules":     []any{rule([]any{"DELETE"}, "", "v1", "pods"), rule([]any{"CREATE"}, "", "v1", "pods/eviction")},
		},
		"matchConditions": []any{tree{"name": "the-held-pod", "expression": fmt.Sprintf(
			"request.operation == 'DELETE' ? oldObject.metadata.uid == %s : request.name == %s", celString(q.pod.UID), celString(q.pod.Name),
		)}},
		"validations": denial(fmt.Sprintf("the pod %s/%s is held as evidence %s", q.pod.Namespace, q.pod.Name, q.until())),
	}
	return q.admission("hold", "has admission refuse that anybody deletes or evicts this pod", provesHeld, spec)
}

// imagePolicy refuses what brings the image into the namespace: pods that are
// made with it, and containers that are given it or added with it later. A pod
// that has it already may go on and be changed otherwise.
func (q quarantine) imagePolicy(refs, digests []string) []made {
	images := func(o string) string {
		return fmt.Sprintf("%[1]s.spec.containers.map(c, c.image) + (has(%[1]s.spec.initContainers) ? %[1]s.spec.initContainers.map(c, c.image) : [])"+
			" + (has(%[1]s.spec.ephemeralContainers) ? %[1]s.spec.ephemeralContainers.map(c, c.image) : [])", o)
	}
	blocked := []string{"i in " + celList(refs)}
	for _, d := range digests {
		blocked = append(blocked, "i.endsWith("+celString("@"+d)+")")
	}
	spec := tree{
		"failurePolicy": "Fail",
		"matchConstraints": tree{
			"namespaceSelector": q.here(),
			"resourceRules":     []any{rule([]any{"CREATE", "UPDATE"}, "", "v1", "pods", "pods/ephemeralcontainers")},
		},
		"variables": []any{
			tree{"name": "images", "expression": images("object")},
			tree{"name": "had", "expression": "oldObject == null ? [] : " + images("oldObject")},
		},
		"validations": []any{tree{
			"expression": "variables.images.all(i, !(" + strings.Join(blocked, " || ") + ") || i in variables.had)",
			"message":    fmt.Sprintf("this image is blocked in %s %s", q.pod.Namespace, q.until()), "reason": "Forbidden",
		}},
	}
	all := q.admission("image", "has admission refuse new containers of "+strings.Join(append(refs, digests...), ", ")+" in the namespace", provesImage, spec)
	all[1].image = refs[0]
	return all
}

// credentialsPolicy refuses every write with the pod's token, or with any of
// its account. It matches all resources of the cluster, so that a failure to
// evaluate it must not stop the cluster: it is ignored then.
func (q quarantine) credentialsPolicy(account string, whole bool) []made {
	who, sentence := "has(request.userInfo.extra) && "+celString(podUIDClaim)+" in request.userInfo.extra && "+
		celString(q.pod.UID)+" in request.userInfo.extra["+celString(podUIDClaim)+"]",
		"has admission refuse every write made with this pod's token"
	if whole {
		who = "request.userInfo.username == " + celString(username(q.pod.Namespace, account))
		sentence = "has admission refuse every write by " + username(q.pod.Namespace, account) + ", of all its pods"
	}
	spec := tree{
		"failurePolicy":    "Ignore",
		"matchConstraints": tree{"resourceRules": []any{rule([]any{"*"}, "*", "*", "*/*")}},
		"matchConditions":  []any{tree{"name": "the-held-credentials", "expression": who}},
		"validations":      denial(fmt.Sprintf("the credentials of the pod %s/%s are frozen %s", q.pod.Namespace, q.pod.Name, q.until())),
	}
	return q.admission("credentials", sentence, provesToken, spec)
}

func username(namespace, account string) string {
	return "system:serviceaccount:" + namespace + ":" + account
}

// celString is a string literal of the Common Expression Language. Image
// references are free text that whoever made the pod has chosen.
func celString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f || r == utf8.RuneError:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func celList(all []string) string {
	var s []string
	for _, v := range all {
		s = append(s, celString(v))
	}
	return "[" + strings.Join(s, ", ") + "]"
}
