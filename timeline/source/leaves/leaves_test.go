package leaves

import (
	"slices"
	"testing"

	"amber/timeline"
)

const (
	user = iota
	whole
	hidden
	roles
	port
)

func table() *Table {
	return &Table{Prefix: "x.", Snake: true, Columns: true, Leaves: []Leaf{
		user:   {Path: "who.user_name name", Field: timeline.UserName},
		whole:  {Path: "w", Whole: true},
		hidden: {Path: "h", Hide: true},
		roles:  {Path: "roles", Field: timeline.UserRoles},
		port:   {Path: "port", Field: timeline.SourcePort},
	}}
}

func read(t *testing.T, r *Row, text string) []string {
	t.Helper()
	if err := r.Begin([]byte(text)); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	var got []string
	for _, x := range r.E.Extras() {
		got = append(got, string(x.Name)+"="+string(x.Value))
	}
	return got
}

func TestLeaves(t *testing.T) {
	r := NewRow(table())
	for range 2 { // what is remembered gives the same
		got := read(t, &r, `{"who":{"userName":"a"},"w":{"k":[1]},"h":"secret","roles":["r","s"],"port":"443","deepList":[{"ipV4":"1"},{"ipV4":"2"}],"words":["x",7,null],"source.ip":"10.0.0.1","e":"","n":null}`)
		if want := []string{`x.w={"k":[1]}`, "x.deep_list.ip_v4=1", "x.deep_list.ip_v4=2", "x.words=x,7,"}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		e := &r.E
		n, _ := e.GetNum(timeline.SourcePort)
		if string(e.GetStr(timeline.UserName)) != "a" || string(r.Get(hidden)) != "secret" || len(e.GetList(timeline.UserRoles)) != 2 || n != 443 || string(e.GetStr(timeline.SourceIP)) != "10.0.0.1" {
			t.Errorf("%q %q %q %d", e.GetStr(timeline.UserName), r.Get(hidden), e.GetList(timeline.UserRoles), n)
		}
	}
	if read(t, &r, `{"name":"1","name":"2"}`); string(r.Get(user)) != "2" || string(r.E.GetList(timeline.Tags)[0]) != "duplicate-key" {
		t.Errorf("twice: %q %q", r.Get(user), r.E.GetList(timeline.Tags))
	}
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"remoteIpDetails.ipAddressV4": "remote_ip_details.ip_address_v4", "AwsAccountId": "aws_account_id", "hostPID": "host_pid", "sourceIPs": "source_ips", "a.groupIDs.x": "a.group_ids.x",
		"ARN": "arn", "a-b": "a_b", "HTTPServer.X": "http_server.x",
	} {
		if got := string(Snake([]byte(name))); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func FuzzBegin(f *testing.F) {
	f.Add([]byte(`{"who":{"userName":"a"},"w":{"k":[1]},"deepList":[{"ipV4":"1"},[2]],"words":["x",7,null]}`))
	r := NewRow(table())
	f.Fuzz(func(t *testing.T, data []byte) {
		if r.Begin(data) == nil && len(r.E.Extras()) > maxLeaves {
			t.Error("too many fields")
		}
	})
}
