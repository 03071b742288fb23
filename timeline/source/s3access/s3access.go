// Package s3access reads the server access logs of Amazon S3, with as many of
// the fields as the day's writer had.
package s3access

import (
	"bytes"
	"context"
	"io"
	"iter"

	"amber/timeline"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
)

// Source is the source "s3access".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "s3access" }

// Sniff implements timeline.Source: a line whose third field is a time in
// brackets, and whose seventh an operation of S3's.
func (Source) Sniff(head []byte, _ string) int {
	for line := range bytes.Lines(head[:min(len(head), 16<<10)]) {
		f := split(nil, bytes.TrimRight(line, "\r\n"))
		if len(f) == 0 {
			continue
		}
		if len(f) < minFields || !isOperation(f[operation]) {
			return 0
		}
		if _, ok := delimited.ApacheTime(f[when]); !ok {
			return 0
		}
		return 97
	}
	return 0
}

// isOperation knows REST.GET.OBJECT, S3.EXPIRE.OBJECT and their like.
func isOperation(v []byte) bool {
	for _, prefix := range []string{"REST.", "S3.", "SOAP.", "WEBSITE.", "BATCH."} {
		if bytes.HasPrefix(v, []byte(prefix)) {
			return true
		}
	}
	return false
}

// Records implements timeline.Source.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return framing.Lines(ctx, r)
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{} }

// The fields, by their places.
const (
	owner = iota
	bucket
	when
	remote
	requester
	requestID
	operation
	key
	request
	status
	errorCode
	sent
	objectSize
	totalTime
	turnAround
	referrer
	agent
	version
	hostID
	signature
	cipher
	authentication
	hostHeader
	tls
	accessPoint
	aclRequired
	sourceRegion
	minFields = agent + 1
)

var cells = []delimited.Cell{
	owner:          {Name: "aws.s3access.bucket_owner"},
	bucket:         {Name: "aws.s3access.bucket"},
	remote:         {Name: "aws.s3access.remote_ip"},
	requester:      {Name: "aws.s3access.requester"},
	requestID:      {Field: timeline.EventID, Name: "aws.s3access.request_id"},
	operation:      {Field: timeline.EventAction, Name: "aws.s3access.operation"},
	key:            {Name: "aws.s3access.key"},
	request:        {Name: "aws.s3access.request_uri"},
	status:         {Field: timeline.HTTPStatus},
	errorCode:      {Field: timeline.ErrorCode},
	sent:           {Field: timeline.NetworkBytes, Name: "aws.s3access.bytes_sent"},
	objectSize:     {Field: timeline.FileSize, Name: "aws.s3access.object_size"},
	totalTime:      {Name: "aws.s3access.total_time"},
	turnAround:     {Name: "aws.s3access.turn_around_time"},
	referrer:       {Name: "http.request.referrer"},
	agent:          {Field: timeline.UserAgent},
	version:        {Name: "aws.s3access.version_id"},
	hostID:         {Name: "aws.s3access.host_id"},
	signature:      {Name: "aws.s3access.signature_version"},
	cipher:         {Name: "tls.cipher"},
	authentication: {Name: "aws.s3access.authentication_type"},
	hostHeader:     {Field: timeline.DestinationDomain, Name: "aws.s3access.host_header"},
	tls:            {Name: "aws.s3access.tls_version"},
	accessPoint:    {Name: "aws.s3access.access_point_arn"},
	aclRequired:    {Name: "aws.s3access.acl_required"},
	sourceRegion:   {Field: timeline.CloudRegion, Name: "aws.s3access.source_region"},
}
