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

// stratus are Stratus Red Team's attacks on AWS, which recorded logs are named
// after: the technique of ATT&CK that each is, and the rule that names it.
// docs/coverage.md has them too.
var stratus = map[string]struct{ technique, rule string }{
	"aws.credential-access.ec2-get-password-data":                 {"T1552", "instance_passwords_read_in_bulk"},
	"aws.credential-access.ec2-steal-instance-credentials":        {"T1552.005", "instance_credentials_used_by_hand"},
	"aws.credential-access.secretsmanager-batch-retrieve-secrets": {"T1555.006", "secrets_read_in_batch"},
	"aws.credential-access.secretsmanager-retrieve-secrets":       {"T1555.006", "secrets_read_in_bulk"},
	"aws.credential-access.ssm-retrieve-securestring-parameters":  {"T1555.006", "parameters_decrypted_in_bulk"},
	"aws.defense-evasion.cloudtrail-delete":                       {"T1562.008", "trail_deleted"},
	"aws.defense-evasion.cloudtrail-event-selectors":              {"T1562.008", "trail_narrowed"},
	"aws.defense-evasion.cloudtrail-stop":                         {"T1562.008", "trail_stopped"},
	"aws.defense-evasion.dns-delete-logs":                         {"T1562.008", "dns_query_logs_deleted"},
	"aws.defense-evasion.organizations-leave":                     {"T1666", "organization_left"},
	"aws.defense-evasion.vpc-remove-flow-logs":                    {"T1562.008", "flow_logs_deleted"},
	"aws.discovery.ec2-download-user-data":                        {"T1580", "user_data_read_in_bulk"},
	"aws.execution.ec2-launch-unusual-instances":                  {"T1578.002", "unusual_instances_launched"},
	"aws.execution.ec2-user-data":                                 {"T1059", "user_data_changed"},
	"aws.execution.ssm-send-command":                              {"T1651", "command_sent_to_instances"},
	"aws.execution.ssm-start-session":                             {"T1651", "session_on_instance"},
	"aws.exfiltration.ec2-security-group-open-port-22-ingress":    {"T1562.007", "security_group_opened"},
	"aws.exfiltration.ec2-share-ami":                              {"T1537", "image_shared"},
	"aws.exfiltration.ec2-share-ebs-snapshot":                     {"T1537", "snapshot_shared"},
	"aws.exfiltration.rds-share-snapshot":                         {"T1537", "database_snapshot_shared"},
	"aws.impact.bedrock-invoke-model":                             {"T1496.004", "model_enabled_then_invoked"},
	"aws.initial-access.console-login-without-mfa":                {"T1078.004", "console_login_without_mfa"},
	"aws.lateral-movement.ec2-instance-connect":                   {"T1021.008", "ssh_key_pushed"},
	"aws.lateral-movement.ec2-serial-console-send-ssh-public-key": {"T1021.008", "serial_console_opened"},
	"aws.persistence.iam-backdoor-role":                           {"T1098.003", "role_trust_opened"},
	"aws.persistence.iam-backdoor-user":                           {"T1098.001", "access_key_for_other_user"},
	"aws.persistence.iam-create-admin-user":                       {"T1136.003", "user_created_with_key"},
	"aws.persistence.iam-create-backdoor-role":                    {"T1098.003", "admin_policy_attached"},
	"aws.persistence.iam-create-user-login-profile":               {"T1098.001", "login_profile_created"},
	"aws.persistence.lambda-backdoor-function":                    {"T1546", "function_opened"},
	"aws.persistence.lambda-layer-extension":                      {"T1546", "function_layer_added"},
	"aws.persistence.lambda-overwrite-code":                       {"T1546", "function_code_replaced"},
	"aws.persistence.rolesanywhere-create-trust-anchor":           {"T1098.001", "roles_anywhere_trust_added"},
	"aws.persistence.sts-federation-token":                        {"T1078.004", "federation_token_taken"},
	"aws.privilege-escalation.iam-update-user-login-profile":      {"T1098.001", "login_profile_changed"},
}

// In the log of each attack there is a finding that names its technique.
func TestRecordedTechniques(t *testing.T) {
	seen := 0
	sourcetest.Files(t, sourcetest.Data(t, "cloudtrail", "by-technique"), func(name string, plain []byte) {
		attack := strings.TrimSuffix(name, ".json")
		want, ok := stratus[attack]
		if !ok {
			t.Errorf("nobody says which technique %s is", attack)
			return
		}
		seen++
		found := findings(t, sources["cloudtrail"], plain)
		list(t, attack, found)
		if !slices.ContainsFunc(slices.Collect(maps.Keys(found)), func(r *detect.Rule) bool {
			return slices.Contains(r.Techniques, want.technique) && r.Path == "cloudtrail/"+want.rule+".yml"
		}) {
			t.Errorf("%s: %s does not find it, or does not name %s", attack, want.rule, want.technique)
		}
	})
	if seen != len(stratus) {
		t.Errorf("%d logs of %d attacks", seen, len(stratus))
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
