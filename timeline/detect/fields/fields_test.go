package fields_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/falco"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/mapped"
	"amber/timeline/source/sourcetest"
	"amber/timeline/source/tetragon"
)

const kubeEvent = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/n/pods","verb":"create","verb":"patch","user":{"username":"eve","groups":["a","b"],"extra":{"k.io/pod":["p-1"]}},"sourceIPs":["192.0.2.1","192.0.2.2"],"objectRef":{"resource":"pods","namespace":"n","subresource":""},"responseStatus":{"code":201},"requestObject":{"spec":{"hostPID":true,"containers":[{"name":"x","image":"i:1","securityContext":{"privileged":true}},{"name":"y\u0021","args":[]}],"tolerations":[],"nodeName":null,"serviceAccountName":""}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z","stageTimestamp":"2026-01-01T00:00:00.100000Z","annotations":{"authorization.k8s.io/decision":"allow"}}`

const trailEvent = `{"eventVersion":"1.08","eventTime":"2026-01-01T00:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","awsRegion":"us-east-1","userIdentity":{"type":"IAMUser","userName":"eve"},"requestParameters":{"userName":"new"},"eventID":"e-1"}`

// values renders what a path gives: kind and text, with commas between.
func values(v detect.View, path string, column bool) string {
	var list []detect.Value
	if column {
		list = v.Column(nil, path)
	} else {
		list = v.Values(nil, path)
	}
	return rendered(list)
}

func rendered(list []detect.Value) string {
	var out []string
	for _, x := range list {
		out = append(out, []string{"s", "n", "b", "z", "j"}[x.Kind]+":"+string(x.Text))
	}
	return strings.Join(out, ",")
}

func TestValues(t *testing.T) {
	quoted := strings.NewReplacer(`"`, `\"`, `\`, `\\`)
	for name, test := range map[string]struct {
		src  timeline.Source
		log  string
		want map[string]string // a path, or a column behind "="
	}{
		"kubernetes": {kubeaudit.Source{}, kubeEvent, map[string]string{
			"verb": "s:patch", "user.username": "s:eve", "user.groups": "s:a,s:b", "user.extra.k.io/pod": "s:p-1",
			"sourceIPs": "s:192.0.2.1,s:192.0.2.2", "sourceIPs.1": "s:192.0.2.2", "responseStatus.code": "n:201", "objectRef.subresource": "", "requestObject.spec.serviceAccountName": "s:",
			"requestObject.spec.containers.image": "s:i:1", "requestObject.spec.containers.name": "s:x,s:y!", "requestObject.spec.containers.0.name": "s:x",
			"requestObject.spec.containers.args": "j:[]", "requestObject.spec.hostPID": "b:true", "requestObject.spec.nodeName": "z:", "requestObject.spec.tolerations": "j:[]",
			"requestObject.spec.containers.securityContext": `j:{"privileged":true}`, "annotations.authorization.k8s.io/decision": "s:allow",
			"absent": "", "verb.x": "", "user.": "", "": "", "user.groups.2": "",
			"=user.name": "s:eve", "=user.roles": "s:a,s:b", "=http.response.status_code": "n:201", "=kubernetes.audit.stage": "s:ResponseComplete", "=nothing": "",
		}},
		"kubernetes, spelled": {kubeaudit.Source{}, strings.Replace(kubeEvent, "requestObject", "request\\u004fbject", 1), map[string]string{"requestObject.spec.hostPID": "b:true", "responseObject": ""}},
		"kubernetes, noted":   {kubeaudit.Source{}, strings.Replace(kubeEvent, `"annotations":{`, `"annotations":{"pod\u002dsecurity.kubernetes.io\/audit-violations":"v",`, 1), map[string]string{"annotations.pod-security.kubernetes.io/audit-violations": "s:v", "annotations.pod-security.kubernetes.io/enforce-policy": ""}},
		"EKS":                 {kubeaudit.Source{}, `{"owner":"111122223333","logGroup":"/aws/eks/c/cluster","logEvents":[{"id":"1","timestamp":1,"message":"` + quoted.Replace(kubeEvent) + `"}]}`, map[string]string{"requestObject.spec.containers.name": "s:x,s:y!", "verb": "s:patch"}},
		"AKS":                 {kubeaudit.Source{}, `{"time":"2026-01-01T00:00:00Z","category":"kube-audit","resourceId":"/SUBSCRIPTIONS/S/PROVIDERS/X/MANAGEDCLUSTERS/C","properties":{"log":"` + quoted.Replace(kubeEvent) + `"}}`, map[string]string{"user.username": "s:eve"}},
		"exported":            {kubeaudit.Source{}, "2026-01-01T00:00:00.000Z " + kubeEvent, map[string]string{"user.username": "s:eve"}},
		"GKE":                 {kubeaudit.Source{}, `{"protoPayload":{"@type":"type.googleapis.com/google.cloud.audit.AuditLog","serviceName":"k8s.io","methodName":"io.k8s.core.v1.pods.exec.create","resourceName":"core/v1/namespaces/n/pods/web/exec","authenticationInfo":{"principalEmail":"eve@example.com"},"requestMetadata":{"callerIp":"192.0.2.1"},"request":{"kind":"PodExecOptions"}},"labels":{"authorization.k8s.io/decision":"allow"},"operation":{"id":"o-1"},"timestamp":"2026-01-01T00:00:00Z"}`, map[string]string{"verb": "s:create", "objectRef.resource": "s:pods", "objectRef.subresource": "s:exec", "objectRef.name": "s:web", "user.username": "s:eve@example.com", "requestObject.kind": "s:PodExecOptions", "annotations.authorization.k8s.io/decision": "s:allow", "sourceIPs": "s:192.0.2.1", "protoPayload.serviceName": "s:k8s.io"}},
		"CloudTrail":          {cloudtrail.Source{}, `{"Records":[` + trailEvent + `]}`, map[string]string{"eventName": "s:CreateUser", "eventSource": "s:iam.amazonaws.com", "requestParameters.userName": "s:new", "=user.name": "s:eve"}},
		"CloudTrail, spelled": {cloudtrail.Source{}, `{"Records":[` + strings.Replace(trailEvent, `{"userName":"new"}`, `{"policyN\u0061me":"new"}`, 1) + `]}`, map[string]string{"requestParameters.policyName": "s:new", "requestParameters.groupName": ""}},
		"LookupEvents":        {cloudtrail.Source{}, `{"Events":[{"EventId":"e-1","EventName":"CreateUser","CloudTrailEvent":"` + quoted.Replace(trailEvent) + `"}]}`, map[string]string{"eventName": "s:CreateUser", "userIdentity.userName": "s:eve", "EventName": ""}},
		"EventBridge":         {cloudtrail.Source{}, `{"detail-type":"AWS API Call via CloudTrail","detail":` + trailEvent + `}`, map[string]string{"eventName": "s:CreateUser", "requestParameters.userName": "s:new"}},
		"CloudTrailLog":       {cloudtrail.Source{}, `{"logEvents":[{"id":"1","timestamp":1,"message":"` + quoted.Replace(trailEvent) + `"}]}`, map[string]string{"eventName": "s:CreateUser"}},
		"Lake":                {cloudtrail.Source{}, `{"QueryResultRows":[[{"eventtime":"2026-01-01 00:00:00.000"},{"eventname":"CreateUser"},{"eventsource":"iam.amazonaws.com"},{"requestparameters":"{\"userName\":\"new\"}"}]]}`, map[string]string{"eventName": "s:CreateUser", "requestParameters.userName": "s:new", "eventSource": "s:iam.amazonaws.com"}},
		"Falco":               {falco.Source{}, `{"time":"2026-01-01T00:00:00.000000000Z","rule":"R","priority":"Warning","output":"o","output_fields":{"proc.name":"sh","fd.sport":22,"proc.aname[2]":null}}`, map[string]string{"rule": "s:R", "output_fields.proc.name": "s:sh", "output_fields.fd.sport": "n:22", "output_fields.proc.aname[2]": "z:"}},
		"Tetragon":            {tetragon.Source{}, `{"process_exec":{"process":{"exec_id":"x","pid":7,"binary":"/bin/sh","arguments":"-c id","start_time":"2026-01-01T00:00:00Z","cap":{"permitted":["A","B"]}},"parent":{"binary":"/sbin/init"}},"node_name":"n","time":"2026-01-01T00:00:00Z"}`, map[string]string{"process_exec.process.binary": "s:/bin/sh", "process.binary": "s:/bin/sh", "parent.binary": "s:/sbin/init", "process.cap.permitted": "s:A,s:B", "node_name": "s:n", "=process.executable": "s:/bin/sh"}},
		"auditd":              {auditd.Source{}, "type=SYSCALL msg=audit(1700000000.123:7): arch=c000003e syscall=59 success=yes exit=0 a0=55 a1=7 items=1 ppid=1 pid=2 auid=0 uid=0 comm=\"sh\" exe=\"/bin/sh\" key=\"k\"\x1dARCH=x86_64 SYSCALL=execve UID=\"root\"\ntype=EXECVE msg=audit(1700000000.123:7): argc=2 a0=\"sh\" a1=2D632069\ntype=PROCTITLE msg=audit(1700000000.123:7): proctitle=7368002D63\n", map[string]string{"type": "s:SYSCALL,s:EXECVE,s:PROCTITLE", "syscall": "s:59,s:execve", "SYSCALL": "s:execve", "UID": "s:root", "a0": "s:55,s:sh", "a1": "s:7,s:-c i", "proctitle": "s:sh -c", "exe": "s:/bin/sh", "absent": "", "=process.executable": "s:/bin/sh"}},
	} {
		t.Run(name, func(t *testing.T) {
			events := 0
			err := fields.Read(test.src, strings.NewReader(test.log), func(v *fields.View) {
				events++
				for path, want := range test.want {
					name, column := strings.CutPrefix(path, "=")
					if got := values(v, name, column); got != want {
						t.Errorf("%s is %q, want %q", path, got, want)
					}
				}
			})
			if err != nil || events != 1 {
				t.Fatal(events, err)
			}
		})
	}
}

func TestCSV(t *testing.T) {
	src, err := mapped.New(mapped.Map{Name: "vpn", Format: "csv", Separator: ";", Time: mapped.Time{Field: "when"}})
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	err = fields.Read(src, strings.NewReader("when;who;what\n2026-01-01T00:00:00Z;\"a;\"\"b\";c\n"), func(v *fields.View) {
		events++
		if got := values(v, "who", false) + " " + values(v, "what", false) + values(v, "none", false); got != `s:a;"b s:c` {
			t.Errorf("got %s", got)
		}
	})
	if err != nil || events != 1 {
		t.Fatal(events, err)
	}
}

func TestAllocates(t *testing.T) {
	var dst []detect.Value
	n := 0.0
	err := fields.Read(kubeaudit.Source{}, strings.NewReader(kubeEvent), func(v *fields.View) {
		rec := []timeline.Record{{Data: v.Raw()}}
		e := v.Event()
		n = testing.AllocsPerRun(100, func() {
			v.SetRecords(rec)
			v.SetEvent(e)
			dst = v.Values(dst[:0], "requestObject.spec.containers.name")
			dst = v.Values(dst, "annotations.authorization.k8s.io/decision")
			dst = v.Column(dst, "http.response.status_code")
		})
	})
	if err != nil || n != 0 || len(dst) != 4 {
		t.Errorf("%v allocations, %d values, %v", n, len(dst), err)
	}
}

// TestQuick holds what is had from the event against the record itself, over
// what was recorded.
func TestQuick(t *testing.T) {
	for _, test := range []struct {
		src     timeline.Source
		dir     string
		dataset string
	}{
		{kubeaudit.Source{}, "kube-audit", "kubernetes.audit_logs"},
		{cloudtrail.Source{}, "cloudtrail", "aws.cloudtrail"},
	} {
		t.Run(test.dir, func(t *testing.T) {
			events, found := 0, map[string]int{}
			each(t, test.dir, func(path string) {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				err = fields.Read(test.src, f, func(v *fields.View) {
					events++
					for _, p := range detect.QuickFields(test.dataset) {
						quick, ok := v.Quick(nil, p)
						if !ok {
							continue
						}
						slow := v.Slow(nil, p)
						found[p] += len(slow)
						if len(quick) == 0 && (len(slow) == 0 || len(slow[0].Text) == 0) {
							continue
						}
						if len(quick) != 1 || len(slow) != 1 || string(quick[0].Text) != string(slow[0].Text) || quick[0].Kind != slow[0].Kind {
							t.Errorf("%s: %s is %q, and quickly %q", path, p, slow, quick)
						}
					}
				})
				if err != nil {
					t.Fatal(path, err)
				}
			})
			t.Logf("%d events, %v", events, found)
			if events == 0 || len(found) != len(detect.QuickFields(test.dataset)) {
				t.Error("not all fields were seen")
			}
		})
	}
}

// TestMembers holds what is found in a member of which the event tells against the
// record itself, over what was recorded, under each of its paths.
func TestMembers(t *testing.T) {
	for dir, src := range map[string]timeline.Source{"kube-audit": kubeaudit.Source{}, "cloudtrail": cloudtrail.Source{}} {
		t.Run(dir, func(t *testing.T) {
			told, all := 0, 0
			each(t, dir, func(path string) {
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				err = fields.Read(src, f, func(v *fields.View) {
					for _, p := range v.Paths() {
						all++
						head, _, _ := strings.Cut(p, ".")
						if _, number := v.Event().GetMember(head); number < 0 {
							continue
						}
						told++
						if _, quick := v.Quick(nil, p); quick {
							continue
						}
						if got, want := values(v, p, false), rendered(v.Slow(nil, p)); got != want {
							t.Errorf("%s: %s is %s, and in the record %s", path, p, got, want)
						}
					}
				})
				if err != nil {
					t.Fatal(path, err)
				}
			})
			t.Logf("%d of %d paths", told, all)
			if told < all/3 {
				t.Error("few of the paths lead into members that are told of")
			}
		})
	}
}

func each(t *testing.T, dir string, do func(path string)) {
	t.Helper()
	root := sourcetest.Data(t, dir)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.Contains(path, ".json") {
			do(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// FuzzValues asks a View of any record for any path, under every dataset.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{kubeEvent, trailEvent, `[{"eventname":"x"},{"requestparameters":"{\"a\":1}"}]`, `{"message":"{}"}`, "type=EXECVE msg=audit(1.1:1): a0=41", "2026-01-01T00:00:00Z {}", `{"process_exec":{}}`} {
		f.Add([]byte(seed), "requestObject.spec.containers.name", uint8(0))
		f.Add([]byte(seed), "0.a..b.", uint8(1))
	}
	datasets := []string{"kubernetes.audit_logs", "aws.cloudtrail", "auditd.log", "cilium_tetragon.log", "falco.alerts", "x"}
	f.Fuzz(func(t *testing.T, data []byte, path string, dataset uint8) {
		var e timeline.Event
		e.Reset()
		e.Const(timeline.EventDataset, datasets[int(dataset)%len(datasets)])
		var v fields.View
		v.SetRecords([]timeline.Record{{Data: data, Group: []byte("a;b")}})
		v.SetEvent(&e)
		first := v.Values(nil, path)
		again := v.Values(nil, path)
		if len(first) != len(again) {
			t.Errorf("%d values, then %d", len(first), len(again))
		}
		_ = v.Column(nil, path)
		e.Members([]string{"m"}, [][]byte{data})
		v.SetEvent(&e)
		_ = v.Values(nil, "m")
		_ = v.Values(nil, "m."+path)
	})
}

// TestAbsent asks for what an event does not have, in each order with what it has.
func TestAbsent(t *testing.T) {
	bare := strings.Replace(kubeEvent, `"requestObject"`, `"other"`, 1)
	err := fields.Read(kubeaudit.Source{}, strings.NewReader(bare+"\n"+kubeEvent), func(v *fields.View) {
		has := strings.Contains(string(v.Raw()), "requestObject")
		first := values(v, "requestObject.spec.hostPID", false)
		if got := values(v, "user.groups", false); got != "s:a,s:b" {
			t.Errorf("groups %q", got)
		}
		if has != (first == "b:true") || has != (values(v, "requestObject", false) != "") || values(v, "responseObject", false) != "" {
			t.Errorf("%v: %q", has, first)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
