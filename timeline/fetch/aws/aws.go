// Package aws pulls what CloudTrail recorded: by LookupEvents, which knows
// management events of the last 90 days, or from the bucket that a trail
// delivers to. It speaks the two protocols over net/http: the client library
// would cost every start of amber more than it saves here
// (docs/decisions/fetch.md).
package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"amber/evidence/remote/aws"
	"amber/evidence/retry"
	"amber/timeline/fetch"
)

// target names the call (AWS JSON 1.1).
const target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

const (
	perPage   = 50 // the most that LookupEvents gives
	maxAnswer = 64 << 20
)

// Pace is the time between two calls of LookupEvents: an account may make two a
// second in a region, and others of it want some as well.
const Pace = 600 * time.Millisecond

// Lookup asks LookupEvents, region after region. It is a fetch.Origin.
type Lookup struct {
	HTTP        *http.Client
	Credentials aws.Credentials
	Endpoint    string // of all regions; empty: AWS's own
	Regions     []string
	Span        fetch.Span
	Pace        time.Duration

	last time.Time
}

type lookupState struct {
	Region int    `json:"region"` // its index
	Token  string `json:"token,omitempty"`
	Page   int    `json:"page"` // pages of the region that were kept
}

// Step is of fetch.Origin.
func (o *Lookup) Step(ctx context.Context, at json.RawMessage, _ fetch.Kept, w io.Writer) (fetch.Step, error) {
	var s lookupState
	if err := fetch.At(at, &s); err != nil {
		return fetch.Step{}, err
	}
	if s.Region < 0 || s.Region >= len(o.Regions) {
		return fetch.Step{}, errors.New("the fetch stands at a region that was not asked for")
	}
	if err := retry.Sleep(ctx, time.Until(o.last.Add(o.Pace))); err != nil {
		return fetch.Step{}, err
	}
	o.last = time.Now()
	return o.page(ctx, s, w)
}

// asked is the body of a call. Times are seconds; both ends are within.
type asked struct {
	StartTime  int64  `json:"StartTime"`
	EndTime    int64  `json:"EndTime"`
	MaxResults int    `json:"MaxResults"`
	NextToken  string `json:"NextToken,omitempty"`
}

func (o *Lookup) page(ctx context.Context, s lookupState, w io.Writer) (fetch.Step, error) {
	region := o.Regions[s.Region]
	step := fetch.Step{Call: fmt.Sprintf("LookupEvents in %s, page %d", region, s.Page+1), Walk: region}
	body, _ := json.Marshal(asked{o.Span.Since.Unix(), ceil(o.Span.Until), perPage, s.Token})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url(region), bytes.NewReader(body))
	if err != nil {
		return step, err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256(body)
	o.Credentials.Sign(req, "cloudtrail", region, hex.EncodeToString(sum[:]), time.Now())
	resp, err := fetch.Send(o.HTTP, req, step.Call)
	if r := (*fetch.Refused)(nil); s.Token != "" && errors.As(err, &r) && r.Code == "InvalidNextTokenException" {
		begin, _ := json.Marshal(lookupState{Region: s.Region})
		return step, &fetch.Forgotten{Walk: step.Walk, Restart: begin, Err: err}
	}
	if err != nil {
		return step, err
	}
	defer resp.Body.Close()
	step.Answer = resp.Header.Get("X-Amzn-Requestid")
	step.File = fmt.Sprintf("%s/%s/%06d.json", fetch.Raw, region, s.Page+1)
	return o.answered(s, step, resp.Body, w)
}

// answered keeps a page and says what comes next.
func (o *Lookup) answered(s lookupState, step fetch.Step, from io.Reader, w io.Writer) (fetch.Step, error) {
	data, err := fetch.ReadAll(step.Call, from, maxAnswer)
	if err != nil {
		return step, err
	}
	var page struct {
		Events    []struct{}
		NextToken string
	}
	if err := fetch.ReadPage(step.Call, data, &page, s.Token, &page.NextToken); err != nil {
		return step, err
	}
	if _, err := w.Write(data); err != nil {
		return step, err
	}
	step.Records = int64(len(page.Events))
	s.Page, s.Token = s.Page+1, page.NextToken
	if s.Token == "" {
		s = lookupState{Region: s.Region + 1}
	}
	step.Done = s.Region == len(o.Regions)
	step.State, err = json.Marshal(s)
	return step, err
}

// ceil is the first whole second that is not before t.
func ceil(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}

func (o *Lookup) url(region string) string {
	if o.Endpoint != "" {
		return strings.TrimSuffix(o.Endpoint, "/") + "/"
	}
	return "https://cloudtrail." + region + "." + aws.Domain(region) + "/"
}

// Plan is of fetch.Origin.
func (o *Lookup) Plan() fetch.Plan {
	p := fetch.Plan{Origin: "aws", Since: o.Span.Since, Until: o.Span.Until, As: o.Credentials.Key, Permissions: []string{"cloudtrail:LookupEvents"}}
	for _, region := range o.Regions {
		p.Server = strings.TrimPrefix(p.Server+" "+o.url(region), " ")
		p.Calls = append(p.Calls, fetch.Call{
			Call: fmt.Sprintf("POST %s LookupEvents StartTime=%s EndTime=%s MaxResults=%d", o.url(region), o.Span.Since.Format(time.RFC3339), o.Span.Until.Format(time.RFC3339), perPage),
			Why:  "management events recorded in " + region + ", by pages", Rate: "one call in " + Pace.String(),
		})
	}
	p.Notes = []string{"LookupEvents has management and Insights events of the last 90 days, of one region each; data events (S3 objects, Lambda) are in a trail's bucket alone (--s3)", "global services (IAM, STS, CloudFront) are recorded in us-east-1"}
	return p
}
