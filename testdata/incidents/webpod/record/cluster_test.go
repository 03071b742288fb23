//go:build incident

package record

import (
	"archive/tar"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"amber/testdata/testbed"
)

const (
	webUser   = "101" // of the web server, on the node as in the container
	webImage  = "registry.example.com/shop/web:1.4"
	toolImage = "registry.example.com/tools/busybox:1.35"
	role      = "arn:aws:iam::111122223333:role/shop-web"
)

// site is the layer of the web server: busybox httpd, with a script that asks
// whether a host is up, and runs what the request's parameter says.
func site(tw *tar.Writer) error {
	files := []struct {
		name, content string
		mode          int64
		owner         int
	}{
		{"www/index.html", "<h1>shop</h1>\n", 0o644, 0},
		{"www/cgi-bin/status", statusScript, 0o755, 0},
		{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nweb:x:101:101:web:/www:/bin/false\n", 0o644, 0},
		{"etc/group", "root:x:0:\nweb:x:101:\n", 0o644, 0},
		{"var/log/web/status.log", "", 0o644, 101},
	}
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Uid: f.owner, Gid: f.owner, Typeflag: tar.TypeReg, ModTime: made}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(tw, f.content); err != nil {
			return err
		}
	}
	return nil
}

const statusScript = `#!/bin/sh
host=$(httpd -d "${QUERY_STRING#host=}")
echo "$REMOTE_ADDR \"$REQUEST_METHOD $REQUEST_URI\" \"$HTTP_USER_AGENT\"" | tee -a /var/log/web/status.log >&2
printf 'Content-Type: text/plain\r\n\r\n'
eval "wget -q -T 2 -O /dev/null http://$host && echo up || echo down"
`

// bash is the layer of a shell that runs each command as a program, as that of
// most images does: busybox's own runs many within itself.
func bash(tw *tar.Writer) error {
	data, err := os.ReadFile(filepath.Join(testbed.CacheDir(), "bash-5.2", "bin", "bash"))
	if err != nil {
		return err
	}
	if err := tw.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755, Size: int64(len(data)), Typeflag: tar.TypeReg, ModTime: made}); err != nil {
		return err
	}
	if _, err := tw.Write(data); err != nil {
		return err
	}
	return tw.WriteHeader(&tar.Header{Name: "bin/chroot", Linkname: "busybox", Mode: 0o777, Typeflag: tar.TypeSymlink, ModTime: made})
}

var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// manifests are what the shop stands on, and what is wrong with them: the web server's
// account may do what the pipeline that deploys it needed once.
const manifests = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: billing}
---
apiVersion: v1
kind: Secret
metadata: {name: db-credentials, namespace: billing}
stringData: {username: billing, password: made-up-for-the-test}
---
apiVersion: v1
kind: Secret
metadata: {name: payment-key, namespace: shop}
stringData: {key: made-up-for-the-test}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: web
  namespace: shop
  annotations: {eks.amazonaws.com/role-arn: "` + role + `"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: shop-deploy}
rules:
- {apiGroups: [""], resources: [namespaces, secrets], verbs: [get, list]}
- {apiGroups: [""], resources: [pods], verbs: [get, list, create, delete]}
- {apiGroups: [""], resources: [pods/exec], verbs: [get, create]}
- {apiGroups: ["", events.k8s.io], resources: [events], verbs: [list, delete, deletecollection]}
- {apiGroups: [batch], resources: [cronjobs, jobs], verbs: [get, list, create]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: shop-deploy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: shop-deploy}
subjects: [{kind: ServiceAccount, name: web, namespace: shop}]
`

// rollout is what the record begins with.
const rollout = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      terminationGracePeriodSeconds: 1
      securityContext: {runAsUser: 101, runAsGroup: 101, fsGroup: 101}
      containers:
      - name: web
        image: ` + webImage + `
        imagePullPolicy: Never
        command: [httpd, -f, -vv, -p, "8080", -h, /www]
        env:
        - {name: AWS_ROLE_ARN, value: "` + role + `"}
        - {name: AWS_WEB_IDENTITY_TOKEN_FILE, value: /var/run/secrets/eks.amazonaws.com/serviceaccount/token}
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 10}
        volumeMounts: [{name: aws-iam-token, mountPath: /var/run/secrets/eks.amazonaws.com/serviceaccount, readOnly: true}]
      volumes:
      - name: aws-iam-token
        projected: {sources: [{serviceAccountToken: {audience: sts.amazonaws.com, expirationSeconds: 86400, path: token}}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

// auditPolicy is what many clusters have: bodies of what runs and of who may
// do what, never those of secrets and tokens, and not a word of leases.
var auditPolicy = map[string]any{
	"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": []string{"RequestReceived"},
	"rules": []any{
		map[string]any{"level": "None", "resources": []any{map[string]any{"group": "coordination.k8s.io"}}},
		map[string]any{"level": "None", "nonResourceURLs": []string{"/livez*", "/readyz*", "/healthz*", "/openapi*", "/version"}},
		map[string]any{"level": "Metadata", "resources": []any{map[string]any{"group": "", "resources": []string{"secrets", "configmaps", "serviceaccounts/token", "pods/status", "nodes", "nodes/status", "events"}}}},
		map[string]any{"level": "RequestResponse", "verbs": []string{"create", "update", "patch", "delete"}, "resources": []any{
			map[string]any{"group": "", "resources": []string{"pods", "pods/exec", "pods/attach", "pods/portforward", "pods/ephemeralcontainers", "serviceaccounts"}},
			map[string]any{"group": "batch", "resources": []string{"*"}},
			map[string]any{"group": "rbac.authorization.k8s.io", "resources": []string{"*"}},
			map[string]any{"group": "apps", "resources": []string{"deployments"}},
		}},
		map[string]any{"level": "Metadata"},
	},
}

// startCluster starts it under the operator's login, with the shop in it.
func startCluster(t *testing.T, dir string) (*testbed.Kubernetes, testbed.Pod) {
	t.Helper()
	policy := filepath.Join(dir, "policy.json")
	data, err := json.Marshal(auditPolicy)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(policy, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var k *testbed.Kubernetes
	asOperator(t, func() {
		k = testbed.StartKubernetes(t, testbed.APIServerArgs("--audit-policy-file="+policy))
	})
	beNode(t, k.NodeName)
	for image, layers := range map[string][]testbed.Layer{webImage: {bash, site}, toolImage: {bash}} {
		if err := k.ImportImage(image, layers...); err != nil {
			t.Fatal(err)
		}
	}
	k.Apply(t, strings.TrimSpace(manifests))
	authorise(t, k)
	arm(t)
	began = toMinute()
	k.Apply(t, strings.TrimSpace(rollout))
	return k, k.WaitRollout(t, "shop", "web")[0]
}

// beNode gives the world the node's name.
func beNode(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Sethostname([]byte(name)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/etc/hostname", []byte(name+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// began is when the record begins.
var began time.Time

// toMinute waits for the next whole minute, so that the record begins with one.
func toMinute() time.Time {
	next := time.Now().UTC().Truncate(time.Minute).Add(time.Minute)
	time.Sleep(time.Until(next))
	return next
}
