package testbed

import (
	"testing"
	"time"
)

const webYAML = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: ` + BusyboxImage + `
        imagePullPolicy: Never
        command: [httpd, -f, -p, "8080", -h, /etc]
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /hosts, port: 8080}, periodSeconds: 2, failureThreshold: 2}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

func TestKubernetes(t *testing.T) {
	began := time.Now()
	k := StartKubernetes(t)
	t.Logf("up after %v", time.Since(began).Round(time.Millisecond))
	k.Apply(t, webYAML)
	pods := k.WaitRollout(t, "default", "web")
	t.Logf("rolled out after %v: %+v", time.Since(began).Round(time.Millisecond), pods)
	t.Log(k.Endpoints(t.Context(), "default", "web"))
	t.Log(k.Kubectl(t.Context(), "exec", pods[0].Name, "--", "sh", "-c", "ip a; ip r; ip -6 r; env; cat /etc/resolv.conf"))
	began = time.Now()
	t.Log(k.Checkpoint(t.Context(), "default", pods[0].Name, "web"))
	t.Log(time.Since(began))
	t.Log(k.ProbeCounts(t))
	began = time.Now()
	t.Log(k.User(t, "eve", Rule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}))
	t.Log(time.Since(began))
	t.Log(k.Kubectl(t.Context(), "--kubeconfig="+k.path("user-eve.kubeconfig"), "get", "pod", pods[0].Name))
	t.Log(k.Kubectl(t.Context(), "--kubeconfig="+k.path("user-eve.kubeconfig"), "get", "pod"))
}
