package kube

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// RoleName is what the printed role is called.
const RoleName = "amber-responder"

// RBAC prints, as YAML, a ClusterRole with the rights that the given uses need
// and no others, each with what it is for. Reading Secrets is none of them.
func RBAC(uses Use) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# The least that amber needs to %s by the API.
# Give it to a responder:
#   kubectl create clusterrolebinding %[2]s --clusterrole=%[2]s --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: %[2]s
rules:
`, uses, RoleName)
	for _, r := range rules(uses) {
		for _, c := range r.comments {
			fmt.Fprintf(&b, "# %s\n", c)
		}
		fmt.Fprintf(&b, "- apiGroups: [%s]\n  resources: [%s]\n  verbs: [%s]\n", strconv.Quote(r.group), strconv.Quote(r.resource), quoted(r.verbs))
	}
	return b.Bytes()
}

// String names the uses: "list, isolate and release".
func (u Use) String() string {
	var names []string
	for i, name := range []string{"list", "isolate", "release", "record"} {
		if u&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// roleRule is one rule of the role: the verbs on one resource.
type roleRule struct {
	group, resource string
	verbs, comments []string
}

// rules gathers the rights by resource.
func rules(uses Use) []roleRule {
	var all []roleRule
	for _, r := range rights() {
		if r.uses&uses == 0 {
			continue
		}
		resource := r.object.Resource
		if r.object.Sub != "" {
			resource += "/" + r.object.Sub
		}
		i := slices.IndexFunc(all, func(x roleRule) bool { return x.group == r.object.Group && x.resource == resource })
		if i < 0 {
			all = append(all, roleRule{group: r.object.Group, resource: resource})
			i = len(all) - 1
		}
		if !slices.Contains(all[i].verbs, r.verb) {
			all[i].verbs = append(all[i].verbs, r.verb)
		}
		if c := r.comment(); !slices.Contains(all[i].comments, c) {
			all[i].comments = append(all[i].comments, c)
		}
	}
	slices.SortStableFunc(all, func(a, b roleRule) int { return cmp.Compare(a.group, b.group) })
	return all
}

func (r right) comment() string {
	if r.without == "" {
		return r.why
	}
	return r.why + " (without it " + r.without + ")"
}

func quoted(all []string) string {
	var q []string
	for _, s := range all {
		q = append(q, strconv.Quote(s))
	}
	return strings.Join(q, ", ")
}
