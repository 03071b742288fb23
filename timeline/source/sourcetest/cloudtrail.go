package sourcetest

import (
	"fmt"
	"io"
	"time"
)

const (
	cloudAccounts = 12
	cloudRoles    = 200
	cloudSessions = 5_000
	cloudBuckets  = 800
)

// CloudTrailCardinality is that of CloudTrail's columns, as upper bounds.
func CloudTrailCardinality(n int) []Cardinality {
	return []Cardinality{
		{"aws.cloudtrail.event_id", n},
		{"@timestamp", n / 16},
		{"user.name", cloudRoles},
		{"aws.cloudtrail.user_identity.arn", min(n, cloudSessions)},
		{"aws.cloudtrail.user_identity.access_key_id", min(n, (2+n/100_000)*cloudSessions)},
		{"cloud.account.id", cloudAccounts},
		{"source.ip", kubeAddresses},
		{"aws.cloudtrail.request_parameters.key", n},
	}
}

// CloudTrail writes n events as one file that the service delivers, in an
// object with Records, or, with lines, as JSON lines.
func CloudTrail(w io.Writer, n int, seed uint64, lines bool) error {
	g := newGenerator(w, seed)
	if !lines {
		_, _ = g.w.WriteString(`{"Records":[`)
	}
	for i := range n {
		if i > 0 && !lines {
			_ = g.w.WriteByte(',')
		}
		g.cloudTrail()
		if lines {
			_ = g.w.WriteByte('\n')
		}
	}
	if !lines {
		_, _ = g.w.WriteString("]}")
	}
	return g.w.Flush()
}

var calls = []struct{ service, name, readOnly string }{
	{"s3", "GetObject", "true"},
	{"s3", "PutObject", "false"},
	{"s3", "ListObjects", "true"},
	{"ec2", "DescribeInstances", "true"},
	{"ec2", "RunInstances", "false"},
	{"sts", "AssumeRole", "true"},
	{"iam", "CreateAccessKey", "false"},
	{"kms", "Decrypt", "true"},
	{"secretsmanager", "GetSecretValue", "true"},
	{"logs", "PutLogEvents", "false"},
}

// roleSession is whose credentials a call was made with. STS gives an access key
// to one session of one role of one account; whoever holds the session is given
// a new one before the hour is over.
type roleSession struct {
	account, role, name int
	principal           string // the role's id
	key                 string
	created             string
}

func (g *generator) roleSession(now time.Time) roleSession {
	n := g.pick(cloudSessions)
	account := 100_000_000_000 + n*7919%cloudAccounts*7_777_777
	role := n % cloudRoles
	since := now.Add(-time.Duration(n) * time.Second).Truncate(time.Hour).Add(time.Duration(n) * time.Second)
	return roleSession{
		account: account, role: role, name: n,
		principal: fmt.Sprintf("AROA%016X", account*cloudRoles+role),
		key:       fmt.Sprintf("ASIA%016X", uint64(since.Unix()+int64(n)<<40)*0x9e3779b97f4a7c15),
		created:   since.Format(time.RFC3339),
	}
}

func (g *generator) cloudTrail() {
	now := g.tick()
	by := g.roleSession(now)
	call := of(g, calls)
	failed := ""
	if g.r.IntN(20) == 0 {
		failed = `"errorCode":"AccessDenied","errorMessage":"User is not authorized to perform this action because no identity-based policy allows it",`
	}
	bucket := by.role % cloudBuckets
	fmt.Fprintf(g.w, `{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"%s:session-%d","arn":"arn:aws:sts::%d:assumed-role/role-%d/session-%d","accountId":"%d","accessKeyId":"%s","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"%s","arn":"arn:aws:iam::%d:role/role-%d","accountId":"%d","userName":"role-%d"},"attributes":{"creationDate":"%s","mfaAuthenticated":"false"}}},`,
		by.principal, by.name, by.account, by.role, by.name, by.account, by.key, by.principal, by.account, by.role, by.account, by.role, by.created)
	fmt.Fprintf(g.w, `"eventTime":"%s","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"%s","sourceIPAddress":"%s","userAgent":"aws-sdk-go-v2/1.39.%d os/linux lang/go#1.26","requestParameters":{"bucketName":"bucket-%d","Host":"bucket-%d.s3.amazonaws.com","key":"data/%x.parquet"},"responseElements":null,%s"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"bytesTransferredOut":%d},"requestID":"%s","eventID":"%s","readOnly":%s,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-%d/data"},{"accountId":"%d","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-%d"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"%d","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"bucket-%d.s3.amazonaws.com"}}`,
		now.Format(time.RFC3339), call.service, call.name, of(g, []string{"us-east-1", "eu-central-1", "eu-west-1"}), g.address(), g.r.IntN(40), bucket, bucket, g.r.Uint64(), failed, g.r.IntN(1<<20), g.uuid(), g.uuid(), call.readOnly, bucket, by.account, bucket, by.account, bucket)
}
