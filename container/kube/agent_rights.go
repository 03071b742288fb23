package kube

import "fmt"

// AgentRoleName is what the role that AgentRole prints is called.
const AgentRoleName = "amber-via-node"

// AgentRole prints, as YAML, the rights that agents need: a Role of their
// namespace alone, for who may run programs in a privileged pod is root on
// every node. The target's node is learnt from its pod.
func AgentRole(namespace string) []byte {
	return fmt.Appendf(nil, `# What --via-node needs besides: to run a privileged pod in %[2]q, which makes
# its holder root on every node.
# Give it to a responder:
#   kubectl -n %[2]s create rolebinding %[1]s --role=%[1]s --user=NAME
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: %[1]s
  namespace: %[2]s
rules:
# the pod is made, waited for and removed; one that was left behind is found
- apiGroups: [""]
  resources: ["pods"]
  verbs: ["create", "get", "list", "delete"]
# amber is run in it ("get" opens a WebSocket, "create" is asked for by newer servers, and by SPDY)
- apiGroups: [""]
  resources: ["pods/exec"]
  verbs: ["create", "get"]
`, AgentRoleName, namespace)
}
