package falco

import (
	"slices"
	"strings"
	"testing"

	"amber/timeline/detect/fields"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/sourcetest"
)

// kubeRules are written for the recorded requests, each of which is named after
// what it shows: as Falco's rules, with lists, macros and an exception.
const kubeRules = `
- required_engine_version: 0.31.0
- required_plugin_versions:
  - name: k8saudit
    version: 0.7.0
    alternatives: [{name: k8saudit-eks, version: 0.4.0}]
- list: writing
  items: [update, patch]
- list: changing
  items: [create, writing]
- macro: answered
  condition: (ka.stage = ResponseComplete)
- macro: succeeded
  condition: (answered and ka.response.code startswith 2)
- macro: new_pod
  condition: answered and ka.verb=create and ka.target.resource=pods and not ka.target.subresource exists
- macro: new_role
  condition: answered and ka.verb = create and ka.target.resource in (roles, clusterroles)
- macro: system_namespace
  condition: ka.target.namespace in (kube-system, "kube-public")
- rule: privileged
  desc: d
  condition: new_pod and ka.req.pod.containers.privileged intersects (true)
  output: privileged pod %ka.target.name with %ka.req.pod.containers.image
  priority: CRITICAL
  source: k8s_audit
- {rule: host-network, desc: d, condition: new_pod and ka.req.pod.host_network=true, output: o, priority: WARNING, source: k8s_audit}
- rule: sensitive-mount
  desc: d
  condition: new_pod and ka.req.pod.volumes.hostpath intersects (/proc, /etc, /)
  exceptions:
    - name: known
      fields: [ka.user.name, ka.req.pod.containers.image.repository]
      comps: [startswith, in]
      values: [["system:", [known/image]]]
  output: o
  priority: ERROR
  source: k8s_audit
- {rule: nodeport, desc: d, condition: answered and ka.target.resource=services and ka.verb=create and ka.req.service.type=NodePort, output: o, priority: NOTICE, source: k8s_audit}
- rule: credentials
  desc: d
  condition: answered and ka.target.resource=configmaps and ka.verb in (changing) and (ka.req.configmap.obj icontains "AWS_ACCESS_KEY_ID" or ka.req.configmap.obj contains password or ka.req.configmap.obj contains "aws-s3" or ka.req.configmap.obj contains passphrase or ka.req.configmap.obj contains "aws_s3" or ka.req.configmap.obj contains "aws-access-key-id")
  output: o
  priority: WARNING
  source: k8s_audit
- {rule: anonymous, desc: d, condition: answered and ka.user.name="system:anonymous" and ka.auth.decision=allow and not ka.uri pmatch (/healthz), output: o, priority: WARNING, source: k8s_audit}
- {rule: exec, desc: d, condition: "ka.verb=create and ka.target.subresource in (exec, attach) and jevt.value[/stage] glob Response*", output: "exec in %ka.target.name: %ka.uri.param[command]", priority: NOTICE, source: k8s_audit}
- {rule: cluster-admin, desc: d, condition: answered and ka.target.resource=clusterrolebindings and ka.req.binding.role=cluster-admin, output: "%ka.req.binding.subjects", priority: WARNING, source: k8s_audit}
- {rule: wildcard, desc: d, condition: 'new_role and (ka.req.role.rules.resources intersects ("*") or ka.req.role.rules.verbs intersects ("*"))', output: o, priority: WARNING, source: k8s_audit}
- {rule: role-writes, desc: d, condition: 'new_role and ka.req.role.rules.verbs intersects (create, update, patch, delete, deletecollection)', output: o, priority: NOTICE, source: k8s_audit}
- {rule: role-exec, desc: d, condition: 'new_role and jevt.value[/requestObject/rules/0/resources] contains pods/exec', output: o, priority: NOTICE, source: k8s_audit}
- {rule: pod-in-system, desc: d, condition: new_pod and system_namespace, output: o, priority: NOTICE, source: k8s_audit}
- {rule: account-in-system, desc: d, condition: succeeded and ka.verb=create and ka.target.resource=serviceaccounts and system_namespace, output: o, priority: NOTICE, source: k8s_audit}
- {rule: system-role, desc: d, condition: 'answered and ka.target.resource regex "(cluster)?roles" and ka.verb in (delete, writing) and ka.target.name startswith "system:"', output: o, priority: WARNING, source: k8s_audit}
- {rule: namespace, desc: d, condition: 'answered and ka.verb=create and ka.target.resource=namespaces and not ka.target.name in (kube-system, default)', output: o, priority: WARNING, source: k8s_audit}
- {rule: deleted, desc: d, condition: 'succeeded and ka.verb=delete and not basename(ka.uri) in ("x")', output: o, priority: INFO, source: k8s_audit}
- {rule: nobody, desc: d, condition: 'answered and ka.user.name = nobody or evt.num = 0', output: o, priority: INFO, source: k8s_audit}
`

// kubeHits are the rules that match each recorded request; no other matches.
var kubeHits = map[string]string{
	"anonymous_creates_namespace_foo":                                   "anonymous namespace",
	"attach_cluster_admin_role":                                         "cluster-admin",
	"attach_pod":                                                        "exec",
	"create_cluster_role_pod_exec":                                      "role-exec",
	"create_cluster_role_wildcard_resources":                            "wildcard",
	"create_cluster_role_wildcard_verbs":                                "wildcard",
	"create_cluster_role_write_privileges":                              "role-writes",
	"create_configmap_sensitive_values":                                 "credentials",
	"create_nginx_pod_hostnetwork":                                      "host-network",
	"create_nginx_pod_no_secctx_1st_container_privileged_2nd_container": "privileged",
	"create_nginx_pod_privileged":                                       "privileged",
	"create_nginx_pod_privileged_2nd_container":                         "privileged",
	"create_nginx_pod_sensitive_mount":                                  "sensitive-mount",
	"create_nginx_pod_sensitive_mount_2nd_container":                    "sensitive-mount",
	"create_nginx_service_nodeport":                                     "nodeport",
	"create_pod_kube_public_namespace":                                  "pod-in-system",
	"create_pod_kube_system_namespace":                                  "pod-in-system",
	"create_serviceaccount_kube_public_namespace":                       "account-in-system",
	"create_serviceaccount_kube_system_namespace":                       "account-in-system",
	"delete_cluster_role_kube_aggregator":                               "deleted system-role",
	"delete_clusterrole":                                                "deleted",
	"delete_clusterrolebinding":                                         "deleted",
	"delete_configmap":                                                  "deleted",
	"delete_deployment":                                                 "deleted",
	"delete_namespace_foo":                                              "deleted",
	"delete_secret":                                                     "deleted",
	"delete_service":                                                    "deleted",
	"delete_serviceaccount":                                             "deleted",
	"exec_pod":                                                          "exec",
	"minikube_creates_namespace_foo":                                    "namespace",
	"modify_cluster_role_node_problem_detector":                         "system-role",
	"some-user_creates_namespace_foo":                                   "namespace",
}

func TestRecordedRequests(t *testing.T) {
	dir := sourcetest.Data(t, "kube-audit", "cases")
	r := load(t, kubeRules)
	if len(r.Problems) != 0 {
		t.Fatalf("%+v", r.Problems)
	}
	files, hit := 0, map[string]bool{}
	sourcetest.Files(t, dir, func(path string, plain []byte) {
		files++
		var got []string
		err := fields.Read(kubeaudit.Source{}, strings.NewReader(string(plain)), func(v *fields.View) {
			for _, m := range r.Matchers {
				if m.Match(v) {
					got = append(got, m.Rule().ID)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		for _, rule := range got {
			hit[rule] = true
		}
		name := strings.TrimSuffix(path, ".json")
		if all := strings.Join(slices.Compact(got), " "); all != kubeHits[name] {
			t.Errorf("%s: %q, want %q", name, all, kubeHits[name])
		}
	})
	if files < 40 || len(hit) != len(r.Matchers)-1 {
		t.Errorf("%d files, and %d of %d rules match", files, len(hit), len(r.Matchers))
	}
}

// TestRecordedCalls has calls of one simulated intrusion each, named after it.
func TestRecordedCalls(t *testing.T) {
	dir := sourcetest.Data(t, "cloudtrail", "by-technique")
	r := load(t, `
- {rule: stopped, desc: d, condition: 'ct.name in (StopLogging, DeleteTrail, PutEventSelectors) and not ct.error exists and ct.shortsrc = cloudtrail', output: '%ct.user', priority: CRITICAL, source: aws_cloudtrail, tags: [T1562.008]}
- {rule: leaves, desc: d, condition: 'ct.src="organizations.amazonaws.com" and toupper(ct.name)=LEAVEORGANIZATION', output: o, priority: CRITICAL, source: aws_cloudtrail}
- {rule: secrets, desc: d, condition: 'ct.name in (GetSecretValue, BatchGetSecretValue) and json.value[/userAgent] exists', output: o, priority: WARNING, source: aws_cloudtrail}
`)
	got := map[string]string{}
	sourcetest.Files(t, dir, func(path string, plain []byte) {
		err := fields.Read(cloudtrail.Source{}, strings.NewReader(string(plain)), func(v *fields.View) {
			for _, m := range r.Matchers {
				if m.Match(v) {
					got[m.Rule().ID+" "+strings.TrimSuffix(path, ".json")] = m.Output(v)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	for _, want := range []string{
		"stopped aws.defense-evasion.cloudtrail-stop", "stopped aws.defense-evasion.cloudtrail-delete",
		"stopped aws.defense-evasion.cloudtrail-event-selectors", "leaves aws.defense-evasion.organizations-leave",
		"secrets aws.credential-access.secretsmanager-retrieve-secrets", "secrets aws.credential-access.secretsmanager-batch-retrieve-secrets",
	} {
		if out, ok := got[want]; !ok || out == "" || out == "<NA>" {
			t.Errorf("%s: %q, %v", want, out, ok)
		}
	}
}
