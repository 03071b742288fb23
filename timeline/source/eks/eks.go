// Package eks reads what the control plane of an Amazon EKS cluster writes to
// CloudWatch Logs: the API server, the authenticator, the controller manager and
// the scheduler; by subscription (also through Firehose), export, and the answers
// of its API. The audit log among them is read by package kubeaudit, and gives
// the rows that the cluster's own log would have given.
package eks

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/cloudwatch"
	"amber/timeline/source/kubeaudit"
)

// Source is the source "eks".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "eks" }

// Sniff implements timeline.Source. A subscription names the log group; answers
// the streams; of an export the first lines tell.
func (Source) Sniff(head []byte, _ string) int {
	l, ok := cloudwatch.First(head)
	switch {
	case bytes.HasPrefix(l.Group, []byte("/aws/eks/")) && bytes.HasSuffix(l.Group, []byte("/cluster")):
		return 97
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) && bytes.Contains(head, []byte(`"logGroup":"/aws/eks/`)) && bytes.Contains(head, []byte(`"logEvents"`)):
		return 96
	case !ok || !l.Wrapped:
		return 0
	case component(l.Stream) != "":
		return 97
	case isAuthenticator(l.Text), isKlog(l.Text), bytes.HasPrefix(l.Text, []byte("{")) && bytes.Contains(l.Text[:min(len(l.Text), 256)], []byte(`audit.k8s.io/`)):
		return 96
	}
	return 0
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return cloudwatch.Records(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser {
	return &parser{cluster: kubeaudit.Source{}.NewParser()}
}

// component is who wrote a stream: kube-apiserver-audit-HASH, authenticator-HASH.
func component(stream []byte) string {
	for _, name := range [...]string{"kube-apiserver-audit", "kube-apiserver", "kube-controller-manager", "cloud-controller-manager", "kube-scheduler", "authenticator"} {
		if len(stream) > len(name) && string(stream[:len(name)]) == name && stream[len(name)] == '-' {
			return name
		}
	}
	return ""
}

// isAuthenticator knows a line of aws-iam-authenticator: logfmt that begins with
// the time and the level.
func isAuthenticator(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`time="`)) && bytes.Contains(line[:min(len(line), 64)], []byte(" level="))
}

// isKlog knows a header of klog's: I0301 10:00:00.123456.
func isKlog(line []byte) bool {
	if len(line) < 22 || line[5] != ' ' || line[8] != ':' || line[11] != ':' || line[14] != '.' {
		return false
	}
	switch line[0] {
	case 'I', 'W', 'E', 'F':
	default:
		return false
	}
	for _, i := range [...]int{1, 2, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16} {
		if line[i] < '0' || line[i] > '9' {
			return false
		}
	}
	return true
}
