package aws

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"amber/evidence/remote/s3"
	"amber/timeline/fetch"
)

// late is how long after an event its file may be delivered: CloudTrail says
// about five minutes, and promises nothing.
const late = time.Hour

// Bucket reads what a trail delivered below a prefix: the objects whose names,
// or where they have none, times of change, lie within the span and an hour
// behind it. It is a fetch.Origin.
type Bucket struct {
	Client *s3.Client
	Name   string // s3://bucket/prefix, for people
	As     string
	Prefix string
	Span   fetch.Span
	Page   int // objects of a list; 0: 1000

	ahead []s3.Listed // of the list that is read
	more  bool
}

type bucketState struct {
	After string `json:"after,omitempty"`
	N     int    `json:"n"` // objects that were kept
}

// Step is of fetch.Origin.
func (o *Bucket) Step(ctx context.Context, at json.RawMessage, _ fetch.Kept, w io.Writer) (fetch.Step, error) {
	var s bucketState
	if err := fetch.At(at, &s); err != nil {
		return fetch.Step{}, err
	}
	step := fetch.Step{}
	if err := o.list(ctx, s.After); err != nil {
		return step, err
	}
	for _, object := range o.ahead {
		if o.within(object) {
			s.After, s.N = object.Name, s.N+1
			return o.object(ctx, object, s, step, w)
		}
		step.Skipped++
		s.After = object.Name
	}
	step.Call = "ListObjectsV2 " + o.Name
	step.Done = !o.more
	return o.end(step, s)
}

// list has ahead begin behind a name.
func (o *Bucket) list(ctx context.Context, after string) error {
	for i, object := range o.ahead {
		if object.Name > after {
			o.ahead = o.ahead[i:]
			return nil
		}
	}
	if len(o.ahead) > 0 && !o.more { // its last object was taken
		o.ahead = nil
		return nil
	}
	page := o.Page
	if page == 0 {
		page = 1000
	}
	list, more, err := o.Client.Page(ctx, o.Prefix, after, page)
	if err != nil {
		return throttled(err)
	}
	if more && (len(list) == 0 || list[len(list)-1].Name <= after) {
		return fmt.Errorf("ListObjectsV2 %s: the list does not go on behind %q", o.Name, after)
	}
	o.ahead, o.more = list, more
	return nil
}

// throttled has what S3 says mean to fetch what it means there.
func throttled(err error) error {
	if e := (*s3.Error)(nil); errors.As(err, &e) {
		return &fetch.Refused{Call: e.Op, Status: e.Status, Code: e.Code, Message: e.Message}
	}
	return err
}

// within reports whether an object may have events of the span.
func (o *Bucket) within(object s3.Listed) bool {
	if strings.HasSuffix(object.Name, "/") {
		return false
	}
	at, ok := stamp(path.Base(object.Name))
	if !ok {
		at = object.Modified
	}
	return !at.Before(o.Span.Since.Truncate(time.Minute)) && !at.After(o.Span.Until.Add(late))
}

// stamp reads the time of a name such as
// 123456789012_CloudTrail_us-east-1_20261122T1435Z_abcDEF0123456789.json.gz.
func stamp(name string) (time.Time, bool) {
	for part := range strings.SplitSeq(name, "_") {
		part, _, _ = strings.Cut(part, ".")
		for _, form := range []string{"20060102T1504Z", "20060102T150405Z"} {
			if t, err := time.Parse(form, part); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}

func (o *Bucket) object(ctx context.Context, object s3.Listed, s bucketState, step fetch.Step, w io.Writer) (fetch.Step, error) {
	step.Call = "GetObject " + object.Name
	body, err := o.Client.Open(ctx, object.Name)
	err = throttled(err)
	if r := (*fetch.Refused)(nil); errors.As(err, &r) && (r.Status == 404 || r.Status == 403) {
		step.Misses = []string{err.Error()}
		return o.end(step, s)
	}
	if err != nil {
		return step, err
	}
	defer body.Close()
	n, err := io.Copy(w, io.LimitReader(body, fetch.MaxAnswer+1))
	if err == nil && n != object.Size {
		step.Misses = []string{fmt.Sprintf("%s: the list says %d bytes, and %d arrived: it was written anew", object.Name, object.Size, n)}
	}
	if err != nil {
		return step, fmt.Errorf("%s: %w", step.Call, err)
	}
	step.File = fmt.Sprintf("%s/%06d-%s", fetch.Raw, s.N, safeName(object.Name))
	return o.end(step, s)
}

func (o *Bucket) end(step fetch.Step, s bucketState) (fetch.Step, error) {
	var err error
	step.State, err = json.Marshal(s)
	return step, err
}

// safeName is the last element of a key, as a name of a file.
func safeName(key string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, path.Base(key))
	return name[max(0, len(name)-150):]
}

// Plan is of fetch.Origin.
func (o *Bucket) Plan() fetch.Plan {
	return fetch.Plan{
		Origin: "aws", Since: o.Span.Since, Until: o.Span.Until, Server: o.Name, As: o.As,
		Calls: []fetch.Call{
			{Call: "ListObjectsV2 " + o.Name, Why: "what the trail delivered, by pages of 1000"},
			{Call: "GetObject …", Why: fmt.Sprintf("each object from %s to %s, by the time in its name", o.Span.Since.Format(time.RFC3339), o.Span.Until.Add(late).Format(time.RFC3339))},
		},
		Permissions: []string{"s3:ListBucket on the bucket", "s3:GetObject below the prefix", "kms:Decrypt on the trail's key, if it has one"},
		Notes:       []string{"a prefix that ends in a day (AWSLogs/ACCOUNT/CloudTrail/REGION/2026/11/22/) lists that day alone"},
	}
}
