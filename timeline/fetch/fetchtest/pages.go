package fetchtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// FakeCloud answers entries.list of Google Cloud Logging (POST
// /v2/entries:list), the activity log of Azure Monitor (GET
// /subscriptions/…/values), and a token endpoint (POST /token). Every page
// has at most Size of its entries.
type FakeCloud struct {
	Entries   int
	From      time.Time // of the earliest; the others follow every second
	Size      int
	Busy      int                                 // so many calls are answered 429, with Retry-After: 1
	Elsewhere string                              // where nextLink leads to, in place of this server
	Grant     func(form map[string][]string) bool // of the token endpoint

	mu     sync.Mutex
	Tokens int // that were given
	Pages  int // that were answered
}

// ServeHTTP is of http.Handler.
func (f *FakeCloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/token"):
		f.grant(w, r)
	case r.Header.Get("Authorization") != "Bearer fake-token":
		f.refuse(w, 401, "UNAUTHENTICATED")
	case f.Busy > 0:
		f.Busy--
		w.Header().Set("Retry-After", "1")
		f.refuse(w, 429, "RESOURCE_EXHAUSTED")
	case r.Method == http.MethodPost && r.URL.Path == "/v2/entries:list":
		f.entries(w, r)
	case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/providers/Microsoft.Insights/eventtypes/management/values"):
		f.activities(w, r)
	default:
		f.refuse(w, 404, "NOT_FOUND")
	}
}

func (f *FakeCloud) grant(w http.ResponseWriter, r *http.Request) {
	if r.ParseForm() != nil || f.Grant == nil || !f.Grant(r.PostForm) {
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"the assertion is not valid"}`)
		return
	}
	f.Tokens++
	fmt.Fprint(w, `{"access_token":"fake-token","expires_in":3599,"token_type":"Bearer"}`)
}

func (f *FakeCloud) refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"code":%d,"message":"refused","status":%q}}`, status, code)
}

// times finds the two ends in a filter, as both vendors write it.
var times = regexp.MustCompile(`imestamp *(?:>=|<=|ge|le) *["']([^"']+)["']`)

// within gives the entries of a span, and the part that a page has.
func (f *FakeCloud) within(filter string, page int) (rest []int, more bool, ok bool) {
	ends := times.FindAllStringSubmatch(filter, -1)
	if len(ends) != 2 {
		return nil, false, false
	}
	since, err := time.Parse(time.RFC3339Nano, ends[0][1])
	until, err2 := time.Parse(time.RFC3339Nano, ends[1][1])
	for i := range f.Entries {
		if at := f.From.Add(time.Duration(i) * time.Second); !at.Before(since) && !at.After(until) {
			rest = append(rest, i)
		}
	}
	rest = rest[min(len(rest), page*f.Size):]
	more = len(rest) > f.Size
	return rest[:min(len(rest), f.Size)], more, err == nil && err2 == nil
}

func (f *FakeCloud) entries(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ResourceNames     []string
		Filter, PageToken string
		OrderBy           string
		PageSize          int
	}
	page := 0
	err := json.NewDecoder(r.Body).Decode(&q)
	if q.PageToken != "" && err == nil {
		_, err = fmt.Sscanf(q.PageToken, "page-%d", &page)
	}
	list, more, ok := f.within(q.Filter, page)
	if err != nil || !ok || len(q.ResourceNames) == 0 || q.OrderBy != "timestamp asc" || q.PageSize > 1000 {
		f.refuse(w, 400, "INVALID_ARGUMENT")
		return
	}
	f.Pages++
	answer := map[string]any{}
	entries := []any{}
	for _, i := range list {
		at := f.From.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano)
		entries = append(entries, map[string]any{
			"logName": "projects/shop/logs/cloudaudit.googleapis.com%2Factivity", "insertId": fmt.Sprintf("e%d", i), "timestamp": at, "receiveTimestamp": at,
			"resource": map[string]any{"type": "project", "labels": map[string]string{"project_id": "shop"}},
			"protoPayload": map[string]any{
				"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "serviceName": "iam.googleapis.com", "methodName": "google.iam.admin.v1.CreateServiceAccountKey",
				"authenticationInfo": map[string]string{"principalEmail": "mallory@example.com"}, "requestMetadata": map[string]string{"callerIp": "203.0.113.9"},
				"resourceName": "projects/-/serviceAccounts/1",
			},
		})
	}
	answer["entries"] = entries
	if more {
		answer["nextPageToken"] = fmt.Sprintf("page-%d", page+1)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *FakeCloud) activities(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	page := 0
	if token := q.Get("$skipToken"); token != "" {
		_, _ = fmt.Sscanf(token, "page-%d", &page)
	}
	list, more, ok := f.within(q.Get("$filter"), page)
	if !ok || q.Get("api-version") != "2015-04-01" {
		f.refuse(w, 400, "BadRequest")
		return
	}
	f.Pages++
	values := []any{}
	for _, i := range list {
		at := f.From.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano)
		values = append(values, map[string]any{
			"eventDataId": fmt.Sprintf("00000000-0000-4000-8000-%012d", i), "eventTimestamp": at, "submissionTimestamp": at, "caller": "mallory@example.com",
			"operationName": map[string]string{"value": "Microsoft.ContainerService/managedClusters/listClusterAdminCredential/action"},
			"category":      map[string]string{"value": "Administrative"}, "status": map[string]string{"value": "Succeeded"}, "level": "Informational",
			"resourceId": "/subscriptions/1/resourceGroups/shop/providers/Microsoft.ContainerService/managedClusters/shop", "subscriptionId": "1",
		})
	}
	answer := map[string]any{"value": values}
	if more {
		q.Set("$skipToken", fmt.Sprintf("page-%d", page+1))
		host := "http://" + r.Host
		if f.Elsewhere != "" {
			host = f.Elsewhere
		}
		answer["nextLink"] = host + r.URL.Path + "?" + q.Encode()
	}
	_ = json.NewEncoder(w).Encode(answer)
}
