package sourcetest

import (
	"fmt"
	"io"
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
		{"aws.cloudtrail.user_identity.access_key_id", min(n, cloudSessions)},
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

func (g *generator) cloudTrail() {
	now := g.tick()
	account := 100_000_000_000 + g.pick(cloudAccounts)*7_777_777
	role := g.pick(cloudRoles)
	session := g.pick(cloudSessions)
	call := of(g, calls)
	failed := ""
	if g.r.IntN(20) == 0 {
		failed = `"errorCode":"AccessDenied","errorMessage":"User is not authorized to perform this action because no identity-based policy allows it",`
	}
	fmt.Fprintf(g.w, `{"eventVersion":"1.09","userIdentity":{"type":"AssumedRole","principalId":"AROA%016X:session-%d","arn":"arn:aws:sts::%d:assumed-role/role-%d/session-%d","accountId":"%d","accessKeyId":"ASIA%016X","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA%016X","arn":"arn:aws:iam::%d:role/role-%d","accountId":"%d","userName":"role-%d"},"attributes":{"creationDate":"%s","mfaAuthenticated":"false"}}},"eventTime":"%s","eventSource":"%s.amazonaws.com","eventName":"%s","awsRegion":"%s","sourceIPAddress":"%s","userAgent":"aws-sdk-go-v2/1.39.%d os/linux lang/go#1.26","requestParameters":{"bucketName":"bucket-%d","Host":"bucket-%d.s3.amazonaws.com","key":"data/%x.parquet"},"responseElements":null,%s"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"bytesTransferredOut":%d},"requestID":"%s","eventID":"%s","readOnly":%s,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::bucket-%d/data"},{"accountId":"%d","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::bucket-%d"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"%d","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"bucket-%d.s3.amazonaws.com"}}`,
		role*7919, session, account, role, session, account, session*104729, role*7919, account, role, account, role, now.Format("2006-01-02T15:04:05Z"),
		now.Format("2006-01-02T15:04:05Z"), call.service, call.name, of(g, []string{"us-east-1", "eu-central-1", "eu-west-1"}), g.address(), g.r.IntN(40), role, role%cloudBuckets, g.r.Uint64(), failed, g.r.IntN(1<<20), g.uuid(), g.uuid(), call.readOnly, role, account, role, account, role)
}
