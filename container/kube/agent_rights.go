package kube

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// AgentRoleName is what the role that AgentRole prints is called.
const AgentRoleName = "amber-via-node"

// agentRights are those that agents need in their namespace.
var agentRights = []struct{ sub, verbs, why string }{
	{"", "create get list delete", "the pod is made, waited for and removed; one that was left behind is found"},
	{"exec", "create get", `amber is run in it ("get" opens a WebSocket; newer servers and SPDY ask for "create")`},
}

// AgentRole prints, as YAML, the rights that agents need: a Role of their
// namespace alone, for who may run programs in a privileged pod is root on
// every node.
func AgentRole(namespace string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# What --via-node needs besides: to run a privileged pod in %[2]s, which makes
# its holder root on every node.
# Give it to a responder:
#   kubectl -n %[2]s create rolebinding %[1]s --role=%[1]s --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: %[1]s
  namespace: %[2]q
rules:
`, AgentRoleName, namespace)
	for _, r := range agentRights {
		resource := Object{Resource: "pods", Sub: r.sub}.kind()
		fmt.Fprintf(&b, "# %s\n- apiGroups: [\"\"]\n  resources: [%q]\n  verbs: [\"%s\"]\n", r.why, resource, strings.ReplaceAll(r.verbs, " ", `", "`))
	}
	return b.Bytes()
}

// LacksForAgents asks which rights to agents in a namespace this account has
// not: "create pods/exec in namespace kube-system".
func (c *Cluster) LacksForAgents(ctx context.Context, namespace string) (lacking []string, err error) {
	for _, r := range agentRights {
		o := pods(namespace, "")
		o.Sub = r.sub
		for _, verb := range strings.Fields(r.verbs) {
			ok, err := c.May(ctx, verb, o)
			if err != nil {
				return nil, err
			}
			if !ok {
				lacking = append(lacking, verb+" "+o.String())
			}
		}
	}
	return lacking, nil
}
