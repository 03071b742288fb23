// Package fetchtest has fakes of the vendors' servers, which cannot be had
// without the vendors: each speaks as much of the protocol as the vendor's
// documentation says, and refuses what the vendor would refuse.
package fetchtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// FakeCloudTrail answers LookupEvents as CloudTrail does: the latest events
// first, at most 50 a page, ThrottlingException for calls in between.
type FakeCloudTrail struct {
	Events   int           // in all
	From     time.Time     // of the earliest; the others follow every second
	Throttle map[int]int   // the n-th call (from 1) is refused so often
	Forget   int           // the token of this page is not known, once
	Gap      time.Duration // of Retry-After, where it throttles

	mu    sync.Mutex
	calls int
	Asked []string // tokens, of the calls that were answered
}

// ServeHTTP is of http.Handler.
func (f *FakeCloudTrail) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	var q struct {
		StartTime, EndTime int64
		MaxResults         int
		NextToken          string
	}
	body, _ := io.ReadAll(r.Body)
	auth := r.Header.Get("Authorization")
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || !strings.HasSuffix(r.Header.Get("X-Amz-Target"), "CloudTrail_20131101.LookupEvents"):
		refuse(w, "UnknownOperationException", r.Header.Get("X-Amz-Target"))
	case !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=AKIDFAKE/") || !strings.Contains(auth, "/cloudtrail/aws4_request"):
		refuse(w, "IncompleteSignatureException", auth)
	case f.Throttle[f.calls] > 0:
		f.Throttle[f.calls]--
		refuse(w, "ThrottlingException", "Rate exceeded")
	case json.Unmarshal(body, &q) != nil || q.MaxResults < 1 || q.MaxResults > 50 || q.EndTime < q.StartTime:
		refuse(w, "InvalidMaxResultsException", string(body))
	default:
		f.answer(w, q.StartTime, q.EndTime, q.MaxResults, q.NextToken)
	}
}

func refuse(w http.ResponseWriter, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

func (f *FakeCloudTrail) answer(w http.ResponseWriter, start, end int64, n int, token string) {
	page := 0
	if token != "" {
		if _, err := fmt.Sscanf(token, "page-%d", &page); err != nil || page == f.Forget {
			f.Forget = 0
			refuse(w, "InvalidNextTokenException", "the token has expired")
			return
		}
	}
	f.Asked = append(f.Asked, token)
	var within []int
	for i := f.Events - 1; i >= 0; i-- {
		if at := f.From.Unix() + int64(i); at >= start && at <= end {
			within = append(within, i)
		}
	}
	answer := map[string]any{"Events": []any{}}
	rest := within[min(len(within), page*n):]
	if len(rest) > n {
		answer["NextToken"] = fmt.Sprintf("page-%d", page+1)
		rest = rest[:n]
	}
	events := []any{}
	for _, i := range rest {
		events = append(events, f.event(i))
	}
	answer["Events"] = events
	w.Header().Set("X-Amzn-Requestid", fmt.Sprintf("request-%d", f.calls))
	_ = json.NewEncoder(w).Encode(answer)
}

// event is one as the API reference has it: a few members, and the whole as a
// string.
func (f *FakeCloudTrail) event(i int) map[string]any {
	at := f.From.Add(time.Duration(i) * time.Second).UTC()
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	whole, _ := json.Marshal(map[string]any{
		"eventVersion": "1.09", "eventID": id, "eventTime": at.Format(time.RFC3339), "eventSource": "s3.amazonaws.com",
		"eventName": "ListBuckets", "awsRegion": "eu-central-1", "sourceIPAddress": "203.0.113.9", "userAgent": "aws-cli/2",
		"userIdentity": map[string]string{"type": "IAMUser", "userName": "mallory", "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/mallory"},
		"eventType":    "AwsApiCall", "readOnly": true, "managementEvent": true, "recipientAccountId": "111122223333",
	})
	return map[string]any{"EventId": id, "EventName": "ListBuckets", "EventTime": at.Unix(), "Username": "mallory", "EventSource": "s3.amazonaws.com", "ReadOnly": "true", "CloudTrailEvent": string(whole)}
}

// Calls is how many were made.
func (f *FakeCloudTrail) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}

// Credentials sets those that the fakes of AWS want.
func Credentials(t testing.TB) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDFAKE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
}
