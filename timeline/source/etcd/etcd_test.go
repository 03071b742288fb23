package etcd

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/encoding/protowire"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"amber/testdata/testbed"
	"amber/timeline"
	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", strings.Repeat("\x00", 100), "k8s\x00"} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

// stored is an object as the API server stores it.
func stored(t testing.TB, kind, version string, raw []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	u := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: version, Kind: kind}, Raw: raw}
	b, err := u.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte("k8s\x00"), b...)
}

func pod(t testing.TB, at time.Time, manager string, labels map[string]string) []byte {
	p := core.Pod{ObjectMeta: meta.ObjectMeta{
		Name: "web-1", Namespace: "shop", UID: types.UID("7c5a8b1e-0000-4000-8000-000000000001"), GenerateName: "web-",
		CreationTimestamp: meta.NewTime(time.Unix(1795352700, 0)), Labels: labels, Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"},
		OwnerReferences: []meta.OwnerReference{{Kind: "ReplicaSet", Name: "web", UID: "u"}}, Finalizers: []string{"x/y"},
		ManagedFields: []meta.ManagedFieldsEntry{
			{Manager: "kube-controller-manager", Operation: "Update", Time: &meta.Time{Time: time.Unix(1795352700, 0)}},
			{Manager: manager, Operation: "Apply", Time: &meta.Time{Time: at}, Subresource: "status"},
		},
	}}
	raw, err := p.Marshal()
	return stored(t, "Pod", "v1", raw, err)
}

func lease(t testing.TB, at time.Time) []byte {
	now := meta.NewMicroTime(at)
	l := coordination.Lease{ObjectMeta: meta.ObjectMeta{Name: "node-1", Namespace: "kube-node-lease", CreationTimestamp: meta.NewTime(time.Unix(1795352600, 0))}, Spec: coordination.LeaseSpec{RenewTime: &now}}
	raw, err := l.Marshal()
	return stored(t, "Lease", "coordination.k8s.io/v1", raw, err)
}

// A real etcd's database tells each revision of an object, what was deleted
// among them.
func TestRealEtcd(t *testing.T) {
	db := realEtcd(t)
	var said []string
	bodies := 0
	c, err := sourcetest.Read(Source{}, bytes.NewReader(db), func(rec timeline.Record, e *timeline.Event) {
		if rec.Range.Offset <= 0 || !bytes.Equal(db[rec.Range.Offset:rec.Range.Offset+rec.Range.Length], rec.Data) {
			t.Errorf("record %d does not lie where it says", rec.Line)
		}
		if string(e.GetStr(timeline.OrchestratorResourceID)) == "u-1" { // TestBodies'
			bodies++
			return
		}
		said = append(said, fmt.Sprintf("%d %s %q", e.Time.Micros/1e6, e.GetStr(timeline.Message), e.GetList(timeline.Tags)))
	})
	want := []string{
		`1795352690 leases kube-node-lease/node-1 created at revision 2 []`,
		`1795352700 pods shop/web-1 created at revision 3 by kubelet []`,
		`1795352705 pods shop/web-1 modified at revision 4 by kubectl-edit []`,
		`1795352720 leases kube-node-lease/node-1 modified at revision 5 []`,
		`1795352720 pods shop/web-1 deleted at revision 6 ["time-inferred"]`,
		`1795352730 widgets shop/w created at revision 7 by kubectl []`,
		`1795352730 secrets shop/db modified at revision 23 ["time-inferred"]`,
	}
	if err != nil || strings.Join(said, "\n") != strings.Join(want, "\n") || c.Kept != len(want)+15 || bodies != 15 {
		t.Errorf("%+v, %v\n%s", c, err, strings.Join(said, "\n"))
	}
}

func realEtcd(t *testing.T) []byte {
	t.Helper()
	program := filepath.Join(testbed.CacheDir(), "etcd-3.4.23", "bin", "etcd")
	if _, err := os.Stat(program); err != nil {
		t.Skipf("no etcd here (make testbed): %v", err)
	}
	dir, client, peer := t.TempDir(), free(t), free(t)
	cmd := exec.Command(program, "--name=t", "--data-dir="+dir, "--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=t="+peer, "--unsafe-no-fsync")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	call := func(what, body string) error {
		resp, err := http.Post(client+"/v3/kv/"+what, "application/json", strings.NewReader(body))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", what, resp.Status)
		}
		return nil
	}
	deadline := time.Now().Add(time.Minute)
	for err := call("range", `{"key":"AA=="}`); err != nil; err = call("range", `{"key":"AA=="}`) {
		if time.Now().After(deadline) {
			t.Fatalf("etcd does not answer: %v\n%s", err, log.Bytes())
		}
		time.Sleep(50 * time.Millisecond)
	}
	b64 := base64.StdEncoding.EncodeToString
	put := func(key string, value []byte) {
		if err := call("put", fmt.Sprintf(`{"key":%q,"value":%q}`, b64([]byte(key)), b64(value))); err != nil {
			t.Fatal(err)
		}
	}
	put("/registry/leases/kube-node-lease/node-1", lease(t, time.Unix(1795352690, 500000)))
	put("/registry/pods/shop/web-1", pod(t, time.Unix(1795352701, 0), "kubelet", map[string]string{"app": "web"}))
	put("/registry/pods/shop/web-1", pod(t, time.Unix(1795352705, 0), "kubectl-edit", map[string]string{"app": "evil", "a.b/c": "d"}))
	put("/registry/leases/kube-node-lease/node-1", lease(t, time.Unix(1795352720, 0)))
	if err := call("deleterange", fmt.Sprintf(`{"key":%q}`, b64([]byte("/registry/pods/shop/web-1")))); err != nil {
		t.Fatal(err)
	}
	put("/registry/example.com/widgets/shop/w", []byte(`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","namespace":"shop","uid":"u7","creationTimestamp":"2026-11-22T13:05:30Z","labels":{"k":"v"},"managedFields":[{"manager":"kubectl","operation":"Apply","time":"2026-11-22T13:05:30Z"}]},"spec":{}}`))
	for _, o := range bodies() {
		raw, err := o.object.Marshal()
		put(o.key, stored(t, o.kind, o.version, raw, err))
	}
	put("/registry/secrets/shop/db", []byte("k8s:enc:aescbc:v1:key1:\x01\x02\x03"))
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	db, err := os.ReadFile(filepath.Join(dir, "member", "snap", "db"))
	if err != nil {
		t.Fatal(err)
	}
	if out := os.Getenv("AMBER_ETCD_DB"); out != "" {
		if err := os.WriteFile(out, db, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// written is a database of bbolt's own, with a bucket of revisions.
func written(t testing.TB, bucket string, revisions int, value func(i int) []byte) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucket([]byte(bucket))
		if err != nil {
			return err
		}
		for i := range revisions {
			key := append(binary.BigEndian.AppendUint64(nil, uint64(i+2)), '_')
			key = binary.BigEndian.AppendUint64(key, 0)
			if err := b.Put(key, value(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func kv(key string, version uint64, value []byte) []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendBytes(b, []byte(key))
	for i, n := range []uint64{2, 7, version} {
		b = protowire.AppendTag(b, protowire.Number(2+i), protowire.VarintType)
		b = protowire.AppendVarint(b, n)
	}
	b = protowire.AppendTag(b, 5, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

// Another program's database is said to be that, and a large one of etcd's is
// read to its end through its branches.
func TestOtherDatabases(t *testing.T) {
	one := pod(t, time.Unix(1795352701, 0), "kubelet", nil)
	value := func(i int) []byte { return kv(fmt.Sprintf("/registry/pods/shop/web-%d", i), 1, one) }
	c, err := sourcetest.Read(Source{}, bytes.NewReader(written(t, "v1", 3, value)), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Rejected[timeline.UnknownWrap] != 1 || c.Kept != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	large := written(t, "key", 3000, value)
	c, err = sourcetest.Read(Source{}, bytes.NewReader(large), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Kept != 3000 || len(c.Rejected) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = sourcetest.Read(Source{}, bytes.NewReader(large[:len(large)/2]), func(timeline.Record, *timeline.Event) {})
	if err != nil || c.Rejected[timeline.BadSyntax] == 0 {
		t.Errorf("half of it: %+v, %v", c, err)
	}
}

func BenchmarkParse(b *testing.B) {
	one := pod(b, time.Unix(1795352701, 0), "kubelet", map[string]string{"app": "web"})
	log := written(b, "key", 5000, func(i int) []byte { return kv(fmt.Sprintf("/registry/pods/shop/web-%d", i), 2, one) })
	sourcetest.Bench(b, Source{}, log, nil)
}
