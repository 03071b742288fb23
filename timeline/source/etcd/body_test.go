package etcd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

// risky is a PodSpec with all that is looked for.
func risky() core.PodSpec {
	yes := true
	return core.PodSpec{
		HostPID: true, HostNetwork: true, HostIPC: true, ServiceAccountName: "builder", NodeName: "node-1",
		Volumes: []core.Volume{
			{Name: "root", VolumeSource: core.VolumeSource{HostPath: &core.HostPathVolumeSource{Path: "/"}}},
			{Name: "s", VolumeSource: core.VolumeSource{Secret: &core.SecretVolumeSource{SecretName: "db"}}},
			{Name: "e", VolumeSource: core.VolumeSource{EmptyDir: &core.EmptyDirVolumeSource{}}},
		},
		InitContainers: []core.Container{{Name: "i", Image: "busybox:1"}},
		Containers: []core.Container{{
			Name: "x", Image: "registry.example/x:1", Command: []string{"nsenter"}, Args: []string{"-t", "1"},
			SecurityContext: &core.SecurityContext{Privileged: &yes, Capabilities: &core.Capabilities{Add: []core.Capability{"SYS_ADMIN", "NET_RAW"}, Drop: []core.Capability{"KILL"}}},
		}},
		EphemeralContainers: []core.EphemeralContainer{{EphemeralContainerCommon: core.EphemeralContainerCommon{Name: "debug", Image: "alpine:3"}}},
	}
}

type marshaler interface{ Marshal() ([]byte, error) }

func born(name string) meta.ObjectMeta {
	return meta.ObjectMeta{Name: name, Namespace: "shop", UID: "u-1", CreationTimestamp: meta.NewTime(time.Unix(1795352700, 0))}
}

// bodies are objects of the kinds that are read beyond their metadata.
func bodies() []struct {
	key, kind, version string
	object             marshaler
} {
	template := core.PodTemplateSpec{Spec: risky()}
	whole := born("pwn") // of the cluster
	whole.Namespace = ""
	secret := born("db")
	secret.Annotations = map[string]string{lastApplied: `{"data":{"password":"aHVudGVyMg=="}}`}
	return []struct {
		key, kind, version string
		object             marshaler
	}{
		{"/registry/pods/shop/x", "Pod", "v1", &core.Pod{ObjectMeta: born("x"), Spec: risky(), Status: core.PodStatus{
			PodIP: "10.0.0.7", HostIP: "192.0.2.1",
			ContainerStatuses:          []core.ContainerStatus{{Name: "x", ContainerID: "containerd://ab"}},
			InitContainerStatuses:      []core.ContainerStatus{{Name: "i", ContainerID: "containerd://cd"}},
			EphemeralContainerStatuses: []core.ContainerStatus{{Name: "debug", ContainerID: "containerd://ef"}},
		}}},
		{"/registry/deployments/shop/x", "Deployment", "apps/v1", &apps.Deployment{ObjectMeta: born("x"), Spec: apps.DeploymentSpec{Template: template}}},
		{"/registry/daemonsets/shop/x", "DaemonSet", "apps/v1", &apps.DaemonSet{ObjectMeta: born("x"), Spec: apps.DaemonSetSpec{Template: template}}},
		{"/registry/statefulsets/shop/x", "StatefulSet", "apps/v1", &apps.StatefulSet{ObjectMeta: born("x"), Spec: apps.StatefulSetSpec{Template: template}}},
		{"/registry/replicasets/shop/x", "ReplicaSet", "apps/v1", &apps.ReplicaSet{ObjectMeta: born("x"), Spec: apps.ReplicaSetSpec{Template: template}}},
		{"/registry/controllers/shop/x", "ReplicationController", "v1", &core.ReplicationController{ObjectMeta: born("x"), Spec: core.ReplicationControllerSpec{Template: &template}}},
		{"/registry/jobs/shop/x", "Job", "batch/v1", &batch.Job{ObjectMeta: born("x"), Spec: batch.JobSpec{Template: template}}},
		{"/registry/cronjobs/shop/x", "CronJob", "batch/v1", &batch.CronJob{ObjectMeta: born("x"), Spec: batch.CronJobSpec{Schedule: "* * * * *", JobTemplate: batch.JobTemplateSpec{Spec: batch.JobSpec{Template: template}}}}},
		{"/registry/podtemplates/shop/x", "PodTemplate", "v1", &core.PodTemplate{ObjectMeta: born("x"), Template: template}},
		{"/registry/clusterrolebindings/pwn", "ClusterRoleBinding", "rbac.authorization.k8s.io/v1", &rbac.ClusterRoleBinding{ObjectMeta: whole, Subjects: []rbac.Subject{{Kind: "User", APIGroup: rbac.GroupName, Name: "mallory"}, {Kind: "ServiceAccount", Name: "builder", Namespace: "shop"}}, RoleRef: rbac.RoleRef{APIGroup: rbac.GroupName, Kind: "ClusterRole", Name: "cluster-admin"}}},
		{"/registry/rolebindings/shop/b", "RoleBinding", "rbac.authorization.k8s.io/v1", &rbac.RoleBinding{ObjectMeta: born("b"), Subjects: []rbac.Subject{{Kind: "Group", Name: "dev"}}, RoleRef: rbac.RoleRef{Kind: "Role", Name: "reader"}}},
		{"/registry/clusterroles/pwn", "ClusterRole", "rbac.authorization.k8s.io/v1", &rbac.ClusterRole{ObjectMeta: whole, Rules: []rbac.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"apps"}, Resources: []string{"deployments"}}, {Verbs: []string{"get"}, NonResourceURLs: []string{"/metrics"}}, {Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"}, ResourceNames: []string{"root"}}}}},
		{"/registry/roles/shop/r", "Role", "rbac.authorization.k8s.io/v1", &rbac.Role{ObjectMeta: born("r"), Rules: []rbac.PolicyRule{{Verbs: []string{"get", "list"}, APIGroups: []string{""}, Resources: []string{"secrets"}}}}},
		{"/registry/secrets/shop/db", "Secret", "v1", &core.Secret{ObjectMeta: secret, Type: "Opaque", Data: map[string][]byte{"password": []byte("hunter2"), "user": []byte("root")}}},
		{"/registry/configmaps/shop/c", "ConfigMap", "v1", &core.ConfigMap{ObjectMeta: born("c"), Data: map[string]string{"a": "b"}}},
	}
}

// What objects are beside their metadata is read as k8s.io/api writes it.
func TestBodies(t *testing.T) {
	all := bodies()
	db := written(t, "key", len(all), func(i int) []byte {
		raw, err := all[i].object.Marshal()
		return kv(all[i].key, 1, stored(t, all[i].kind, all[i].version, raw, err))
	})
	if n := (Source{}).Sniff(db[:min(len(db), headSize)], ""); n < 95 {
		t.Errorf("it is not recognised: %d", n)
	}
	const risks = `: privileged, host-pid, host-network, host-ipc, host-path /, added-capabilities SYS_ADMIN,NET_RAW, ephemeral-container, image `
	var got []string
	if _, err := sourcetest.Read(Source{}, bytes.NewReader(db), func(_ timeline.Record, e *timeline.Event) {
		dump := sourcetest.Dump(e)
		if strings.Contains(dump, "hunter2") || strings.Contains(dump, "aHVudGVyMg") {
			t.Errorf("a secret's value: %s", dump)
		}
		_, says, _ := strings.Cut(string(e.GetStr(timeline.Message)), "created at revision ")
		if _, after, ok := strings.Cut(says, risks); ok {
			says = "risks of " + after
			if n := len(e.GetList(timeline.Tags)); n != 7 {
				t.Errorf("%d tags: %q", n, e.GetList(timeline.Tags))
			}
			for _, want := range []string{`containers.command: "nsenter,-t,1"`, `spec.serviceAccountName: "builder"`, `secretName: "db"`, `spec.nodeName: "node-1"`} {
				if !strings.Contains(dump, want) {
					t.Errorf("no %s in %s", want, dump)
				}
			}
		} else {
			says = fmt.Sprintf("%s %q %s", says, e.GetList(timeline.Tags), e.GetStr(timeline.UserTargetName))
		}
		got = append(got, says)
		if e.Has(timeline.RelatedIP) != strings.Contains(dump, `status.containerID: "containerd://ab,containerd://cd,containerd://ef"`) {
			t.Errorf("the status: %s", dump)
		}
	}); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("risks of busybox:1,registry.example/x:1,alpine:3\n", 9)
	want = strings.ReplaceAll(want, "busybox:1,registry.example/x:1", "registry.example/x:1,busybox:1")
	want += `11: ClusterRole cluster-admin to User mallory, ServiceAccount shop/builder ["rbac-grant" "cluster-admin"] mallory
12: Role reader to Group dev ["rbac-grant"] dev
13: * on deployments of apps; get on /metrics; impersonate on users named root ["rbac-grant" "wildcard-grant" "escalation-verbs"] 
14: get,list on secrets ["rbac-grant"] 
15: Opaque with password,user [] 
16 [] `
	if strings.Join(got, "\n") != want {
		t.Errorf("%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

// Databases of other programs are told from etcd's, and named.
func TestOther(t *testing.T) {
	value := func(int) []byte { return []byte("x") }
	for bucket, owner := range map[string]string{"v1": "containerd's", "libnetwork": "dockerd's of networks", "volumes": "dockerd's of volumes", "_main": "BuildKit's", "a\x1b[31m": "no etcd's"} {
		db := written(t, bucket, 2, value)
		if n, m := (Source{}).Sniff(db, ""), (Other{}).Sniff(db, ""); n != 0 || m < 80 {
			t.Errorf("%q: etcd %d, other %d", bucket, n, m)
		}
		read := 0
		for _, err := range (Other{}).Records(t.Context(), bytes.NewReader(db)) {
			read++
			var reject *timeline.RejectError
			if !errors.As(err, &reject) || reject.Reason != timeline.UnknownFormat || !strings.Contains(reject.Detail, owner) || strings.Contains(reject.Detail, "\x1b") {
				t.Errorf("%q: %v", bucket, err)
			}
		}
		if read != 1 {
			t.Errorf("%q: %d records", bucket, read)
		}
	}
	etcd := written(t, "key", 2, value)
	far := append([]byte{}, etcd...)
	for _, page := range []int{0, 4096} { // the root far behind
		binary.LittleEndian.PutUint64(far[page+32:], 1<<20)
	}
	if n, m := (Source{}).Sniff(etcd, ""), (Other{}).Sniff(etcd, ""); n < 95 || m != 0 {
		t.Errorf("etcd %d, other %d", n, m)
	}
	if n, m := (Source{}).Sniff(far, ""), (Other{}).Sniff(far, ""); n != 75 || m != 0 {
		t.Errorf("what is not seen: etcd %d, other %d", n, m)
	}
}

func FuzzOther(f *testing.F) {
	f.Add(written(f, "v1", 2, func(int) []byte { return []byte("x") }))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = (Other{}).Sniff(data, "")
		if _, err := sourcetest.Read(Other{}, bytes.NewReader(data), func(timeline.Record, *timeline.Event) { t.Error("a row") }); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkBodies(b *testing.B) {
	raw, err := (&core.Pod{ObjectMeta: born("x"), Spec: risky()}).Marshal()
	one := stored(b, "Pod", "v1", raw, err)
	log := written(b, "key", 5000, func(i int) []byte { return kv(fmt.Sprintf("/registry/pods/shop/web-%d", i), 1, one) })
	sourcetest.Bench(b, Source{}, log, nil)
}
