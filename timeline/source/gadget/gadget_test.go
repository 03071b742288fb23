package gadget

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[]", "text", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}`, `{"logName":"x","jsonPayload":{"rule":1}}`, `{"process_exec":{},"node_name":"x","time":"y"}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"runtime":{"runtimeName":"containerd","containerName":"app","containerId":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","containerPid":4200,"containerImageName":"docker.io/library/nginx:1.29","containerImageDigest":"sha256:abc","containerStartedAt":1795352600000000000},"k8s":{"namespace":"shop","podName":"web-%d","podUID":"7c5a8b1e-0000-4000-8000-000000000001","podLabels":{"app":"web"},"containerName":"app","hostnetwork":false,"node":"node-1","owner":{"kind":"ReplicaSet","name":"web"}},"proc":{"comm":"sh","pid":%d,"tid":4242,"mntns_id":4026532231,"creds":{"uid":0,"gid":0,"user":"root","group":"root"},"parent":{"comm":"containerd-shim","pid":4100}},"timestamp":"2026-11-22T13:05:01.123456789Z","timestamp_raw":1795352701123456789,"args":"/bin/sh -c id","error":"","exepath":"/bin/busybox","cwd":"/tmp","loginuid":1000}`+"\n", i%300, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
