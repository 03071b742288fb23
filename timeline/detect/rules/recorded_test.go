package rules_test

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/source/sourcetest"
)

// techniques are the techniques of ATT&CK that Stratus Red Team's attacks on AWS
// are, which the recorded logs are named after. docs/coverage.md has them too.
var techniques = map[string]string{
	"aws.credential-access.ec2-get-password-data":                 "T1552",
	"aws.credential-access.ec2-steal-instance-credentials":        "T1552.005",
	"aws.credential-access.secretsmanager-batch-retrieve-secrets": "T1555.006",
	"aws.credential-access.secretsmanager-retrieve-secrets":       "T1555.006",
	"aws.credential-access.ssm-retrieve-securestring-parameters":  "T1555.006",
	"aws.defense-evasion.cloudtrail-delete":                       "T1562.008",
	"aws.defense-evasion.cloudtrail-event-selectors":              "T1562.008",
	"aws.defense-evasion.cloudtrail-stop":                         "T1562.008",
	"aws.defense-evasion.dns-delete-logs":                         "T1562.008",
	"aws.defense-evasion.organizations-leave":                     "T1666",
	"aws.defense-evasion.vpc-remove-flow-logs":                    "T1562.008",
	"aws.discovery.ec2-download-user-data":                        "T1580",
	"aws.execution.ec2-launch-unusual-instances":                  "T1578.002",
	"aws.execution.ec2-user-data":                                 "T1059",
	"aws.execution.ssm-send-command":                              "T1651",
	"aws.execution.ssm-start-session":                             "T1651",
	"aws.exfiltration.ec2-security-group-open-port-22-ingress":    "T1562.007",
	"aws.exfiltration.ec2-share-ami":                              "T1537",
	"aws.exfiltration.ec2-share-ebs-snapshot":                     "T1537",
	"aws.exfiltration.rds-share-snapshot":                         "T1537",
	"aws.impact.bedrock-invoke-model":                             "T1496.004",
	"aws.initial-access.console-login-without-mfa":                "T1078.004",
	"aws.lateral-movement.ec2-instance-connect":                   "T1021.008",
	"aws.lateral-movement.ec2-serial-console-send-ssh-public-key": "T1021.008",
	"aws.persistence.iam-backdoor-role":                           "T1098.003",
	"aws.persistence.iam-backdoor-user":                           "T1098.001",
	"aws.persistence.iam-create-admin-user":                       "T1136.003",
	"aws.persistence.iam-create-backdoor-role":                    "T1098.003",
	"aws.persistence.iam-create-user-login-profile":               "T1098.001",
	"aws.persistence.lambda-backdoor-function":                    "T1546",
	"aws.persistence.lambda-layer-extension":                      "T1546",
	"aws.persistence.lambda-overwrite-code":                       "T1546",
	"aws.persistence.rolesanywhere-create-trust-anchor":           "T1098.001",
	"aws.persistence.sts-federation-token":                        "T1078.004",
	"aws.privilege-escalation.iam-update-user-login-profile":      "T1098.001",
}

// In the log of each attack there is a finding that names its technique.
func TestRecordedTechniques(t *testing.T) {
	seen := 0
	sourcetest.Files(t, sourcetest.Data(t, "cloudtrail", "by-technique"), func(name string, plain []byte) {
		attack := strings.TrimSuffix(name, ".json")
		want, ok := techniques[attack]
		if !ok {
			t.Errorf("nobody says which technique %s is", attack)
			return
		}
		seen++
		found := findings(t, sources["cloudtrail"], plain)
		list(t, attack, found)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(r *detect.Rule) bool { return slices.Contains(r.Techniques, want) }) {
			t.Errorf("%s: no finding names %s", attack, want)
		}
	})
	if seen != len(techniques) {
		t.Errorf("%d logs, %d techniques", seen, len(techniques))
	}
}

// everyday are the cases in which somebody does what is done each day.
var everyday = strings.Fields(`create_clusterrole create_clusterrolebinding create_configmap create_configmap_no_sensitive_values
	create_deployment create_kube_system_secret create_nginx_pod_nohostnetwork create_nginx_pod_unprivileged
	create_nginx_pod_unsensitive_mount create_nginx_service_nonodeport create_pod_kube_system_namespace create_secret create_service
	create_service_account_token_secret create_serviceaccount delete_clusterrole delete_clusterrolebinding delete_configmap
	delete_deployment delete_secret delete_service delete_serviceaccount minikube_creates_namespace_foo some-user_creates_namespace_foo fal_01_003`)

// Cases of attacks, and the rule that finds each.
var attacks = map[string]string{
	"anonymous_creates_namespace_foo":                                   "anonymous_request_answered",
	"attach_cluster_admin_role":                                         "cluster_admin_bound",
	"attach_pod":                                                        "attach_to_pod",
	"create_cluster_role_pod_exec":                                      "role_that_reaches_into_pods",
	"create_cluster_role_wildcard_resources":                            "wildcard_role",
	"create_cluster_role_wildcard_verbs":                                "wildcard_role",
	"create_configmap_sensitive_values":                                 "credentials_in_configmap",
	"create_nginx_pod_hostnetwork":                                      "host_network",
	"create_nginx_pod_no_secctx_1st_container_privileged_2nd_container": "privileged_container",
	"create_nginx_pod_privileged":                                       "privileged_container",
	"create_nginx_pod_privileged_2nd_container":                         "privileged_container",
	"create_nginx_pod_sensitive_mount":                                  "sensitive_host_path",
	"create_nginx_pod_sensitive_mount_2nd_container":                    "sensitive_host_path",
	"create_nginx_service_nodeport":                                     "service_opened_to_outside",
	"create_pod_kube_public_namespace":                                  "workload_in_system_namespace",
	"create_serviceaccount_kube_public_namespace":                       "service_account_in_system_namespace",
	"create_serviceaccount_kube_system_namespace":                       "service_account_in_system_namespace",
	"delete_cluster_role_kube_aggregator":                               "system_role_changed",
	"delete_namespace_foo":                                              "namespace_deleted",
	"exec_pod":                                                          "exec_into_pod",
	"modify_cluster_role_node_problem_detector":                         "system_role_changed",
}

// Of everyday cases nothing is found that is more than low; of the others each
// has its finding.
func TestRecordedCases(t *testing.T) {
	sourcetest.Files(t, sourcetest.Data(t, "kube-audit", "cases"), func(name string, plain []byte) {
		name = strings.TrimSuffix(name, ".json")
		found := findings(t, sources["kube-audit"], plain)
		list(t, name, found)
		for r := range found {
			if slices.Contains(everyday, name) && r.Level > detect.Low {
				t.Errorf("%s: %s is %s", name, r.Path, r.Level)
			}
		}
		if want, ok := attacks[name]; ok && !has(found, "kubernetes/"+want) {
			t.Errorf("%s: %s does not find it", name, want)
		}
	})
}

// What there is to be found in a log of a takeover, in Tetragon's and auditd's.
var told = map[string][]string{
	"kube-audit/cluster-takeover.jsonl.gz": {
		"kubernetes/rbac_changed_while_impersonating", "kubernetes/impersonation_of_privileged", "kubernetes/secrets_listed_by_workload",
		"kubernetes/secrets_listed_everywhere", "kubernetes/anonymous_request_refused", "kubernetes/privileged_container",
		"kubernetes/sensitive_host_path", "kubernetes/host_pid_or_ipc", "kubernetes/exec_into_pod", "kubernetes/exec_by_service_account",
		"kubernetes/exec_of_attack_tool", "kubernetes/privileged_container_then_exec", "kubernetes/cronjob_in_system_namespace",
		"kubernetes/job_by_workload_identity", "kubernetes/pod_deleted_by_force", "kubernetes/events_deleted", "kubernetes/token_requested",
	},
	"tetragon": {
		"linux/process_creation/nsenter_into_host", "linux/process_creation/shell_behind_nsenter", "linux/process_creation/run_from_writable_directory",
		"linux/network_connection/program_from_writable_directory_connects", "linux/network_connection/shell_connects_out",
		"linux/file_event/account_file_written", "linux/process_creation/file_sent_out", "linux/process_creation/archiver_of_foreign_format",
	},
	"auditd": {"linux/auditd/user_added"},
}

func TestRecordedIntrusions(t *testing.T) {
	for place, want := range told {
		src := sources[strings.Split(place, "/")[0]]
		found := map[*detect.Rule]int{}
		sourcetest.Files(t, sourcetest.Data(t, place), func(_ string, plain []byte) {
			for r, n := range findings(t, src, plain) {
				found[r] += n
			}
		})
		list(t, place, found)
		for _, name := range want {
			if !has(found, name) {
				t.Errorf("%s: %s finds nothing", place, name)
			}
		}
	}
}

// What the pack finds in an hour of an account in which attacks are tried: to
// look at, and nothing critical, because it is all one tester.
func TestRecordedSimulation(t *testing.T) {
	found := map[*detect.Rule]int{}
	sourcetest.Files(t, sourcetest.Data(t, "cloudtrail", "simulation-55min"), func(_ string, plain []byte) {
		for r, n := range findings(t, sources["cloudtrail"], plain) {
			found[r] += n
		}
	})
	list(t, "simulation", found)
	for r := range found {
		if r.Level == detect.Critical {
			t.Errorf("%s is critical", r.Path)
		}
	}
}

func has(found map[*detect.Rule]int, name string) bool {
	for r := range found {
		if r.Path == name+".yml" {
			return true
		}
	}
	return false
}

func list(t *testing.T, of string, found map[*detect.Rule]int) {
	t.Helper()
	for _, r := range slices.SortedFunc(maps.Keys(found), func(a, b *detect.Rule) int { return cmp.Or(int(b.Level)-int(a.Level), strings.Compare(a.Path, b.Path)) }) {
		t.Logf("%-60s %4d %-8s %s", of, found[r], r.Level, strings.TrimSuffix(path.Join(path.Base(path.Dir(r.Path)), path.Base(r.Path)), ".yml"))
	}
}
