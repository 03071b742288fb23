package rules_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/detect/rules"
	"amber/timeline/source/sourcetest"
)

// all are the rules of the pack, correlations too.
func all() []*detect.Rule {
	var list []*detect.Rule
	for _, m := range pack().Matchers {
		list = append(list, m.Rule())
	}
	for _, c := range pack().Correlations {
		list = append(list, &c.Rule)
	}
	return list
}

// part tells a rule that gives findings through correlations alone.
func part(r *detect.Rule) bool { return strings.HasPrefix(path.Base(r.Path), "base_") }

// Every rule says what it is about, and its techniques and tactics are there and
// belong together.
func TestForm(t *testing.T) {
	titles := map[string]bool{}
	for _, r := range all() {
		if titles[r.Title] {
			t.Errorf("%s: another rule has the title %q", r.Path, r.Title)
		}
		titles[r.Title] = true
		for name, missing := range map[string]bool{
			"id": len(r.ID) != 36, "title": r.Title == "", "author": r.Author != "amber", "license": r.License == "", "status": r.Status == "",
			"false positives": len(r.FalsePos) == 0, "response": r.Response == "", "technique": len(r.Techniques) == 0, "tactic": len(r.Tactics) == 0,
		} {
			if missing {
				t.Errorf("%s: no %s", r.Path, name)
			}
		}
		if why, _ := readRule(t, r.Path)["why"].(string); why == "" || !strings.Contains(r.Description, strings.Fields(why)[0]) {
			t.Errorf("%s: it does not say why it matters", r.Path)
		}
		if part(r) != (r.Level == detect.Informational) {
			t.Errorf("%s: level %s", r.Path, r.Level)
		}
		tactics(t, r)
	}
}

func tactics(t *testing.T, r *detect.Rule) {
	t.Helper()
	var possible []string
	for _, id := range r.Techniques {
		known, ok := rules.Techniques()[id]
		if !ok {
			t.Errorf("%s: there is no technique %s", r.Path, id)
		}
		possible = append(possible, known.Tactics...)
		if !slices.ContainsFunc(known.Tactics, func(x string) bool { return slices.Contains(r.Tactics, x) }) {
			t.Errorf("%s: none of the tactics of %s is named", r.Path, id)
		}
	}
	for _, x := range r.Tactics {
		if !slices.Contains(possible, x) {
			t.Errorf("%s: none of its techniques is of the tactic %s", r.Path, x)
		}
	}
}

// Each part of correlations is one of a correlation that is there, and gives no
// findings of its own.
func TestParts(t *testing.T) {
	for _, m := range pack().Matchers {
		if r := m.Rule(); part(r) {
			of := slices.DeleteFunc(slices.Clone(pack().Correlations), func(c *detect.Correlation) bool { return !refers(c, r) })
			if len(of) == 0 || slices.ContainsFunc(of, func(c *detect.Correlation) bool { return c.Generate }) {
				t.Errorf("%s: no correlation refers to it, or one that lets it give findings", r.Path)
			}
		}
	}
	for _, c := range pack().Correlations {
		for _, m := range pack().Matchers {
			if refers(c, m.Rule()) && !part(m.Rule()) && !c.Generate {
				t.Errorf("%s keeps %s from giving findings", c.Rule.Path, m.Rule().Path)
			}
		}
	}
}

func refers(c *detect.Correlation, r *detect.Rule) bool {
	return slices.Contains(c.Of, r.ID) || r.Name != "" && slices.Contains(c.Of, r.Name)
}

// There is one record file for each rule, and no other.
func TestRecordsHaveRules(t *testing.T) {
	err := filepath.WalkDir("testdata", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "testdata/everyday") {
			return err
		}
		rule := strings.TrimSuffix(strings.TrimPrefix(name, "testdata/"), ".json") + ".yml"
		if _, err := fs.Stat(rules.FS(), rule); err != nil {
			t.Errorf("%s: there is no rule %s", name, rule)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What a rule may name: addresses that mean the same everywhere.
var everywhere = []string{
	"169.254.169.254", "169.254.170.2", // clouds' metadata and task credentials
	"127.0.0.0", "10.0.0.0", "100.64.0.0", "172.16.0.0", "192.168.0.0", "169.254.0.0",
	"0.0.0.0",
}

// No rule names an account or an address.
func TestNamesNobody(t *testing.T) {
	account, address := regexp.MustCompile(`\b[0-9]{12}\b`), regexp.MustCompile(`\b[0-9]{1,3}(\.[0-9]{1,3}){3}\b`)
	key := regexp.MustCompile(`\b(AKIA|ASIA|AROA|AIDA)[A-Z0-9]{8,}|\b(i|ami|sg|vpc|snap|subnet)-[0-9a-f]{8,}`)
	for _, r := range all() {
		text, err := fs.ReadFile(rules.FS(), r.Path)
		if err != nil {
			t.Fatal(err)
		}
		body := strings.ReplaceAll(string(text), r.ID, "")
		for _, x := range address.FindAllString(body, -1) {
			if !slices.Contains(everywhere, x) {
				t.Errorf("%s names the address %s", r.Path, x)
			}
		}
		for _, x := range append(account.FindAllString(body, -1), key.FindAllString(body, -1)...) {
			t.Errorf("%s names %s", r.Path, x)
		}
	}
}

// identities are words of a record that say who or which: what a rule must not
// be fitted to.
var identities = regexp.MustCompile(`"(username|userName|accountId|recipientAccountId|principalId|arn|accessKeyId|auditID|uid|sourceIPAddress|instanceId|bucketName|roleName|functionName|trailName|node_name|exec_id|docker|destination_ip|source_ip|eventID|requestID)"\s*:\s*"([^"]{5,})"`)

// No rule is fitted to the recorded logs: none names who or what is in them.
func TestNotFitted(t *testing.T) {
	own := map[string][]string{}
	for _, r := range all() {
		own[r.Path] = words(t, r.Path)
	}
	seen := map[string]bool{}
	for _, folder := range []string{"kube-audit", "cloudtrail", "tetragon"} {
		sourcetest.Files(t, sourcetest.Data(t, folder), func(_ string, plain []byte) {
			for _, m := range identities.FindAllSubmatch(plain, -1) {
				seen[strings.ToLower(string(m[2]))] = true
			}
		})
	}
	if len(seen) < 1000 {
		t.Fatalf("only %d identities in the recorded logs", len(seen))
	}
	for path, list := range own {
		for _, w := range list {
			if seen[strings.ToLower(w)] && w != "admin" && !strings.HasPrefix(w, "system:") && !strings.HasSuffix(w, ".amazonaws.com") {
				t.Errorf("%s names %q, which is in the recorded logs", path, w)
			}
		}
	}
}

// words are the values of a rule's detection.
func words(t *testing.T, name string) (list []string) {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			list = append(list, strings.Trim(v, "/*\\"))
		case []any:
			for _, e := range v {
				walk(e)
			}
		case object:
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(readRule(t, name)["detection"])
	return list
}

// The records of corpora have examples' accounts and addresses alone.
func TestRecordsAreMadeUp(t *testing.T) {
	account := regexp.MustCompile(`[^-0-9a-f]([0-9]{12})\b`)
	for _, m := range pack().Matchers {
		text, err := os.ReadFile(filepath.Join("testdata", strings.TrimSuffix(m.Rule().Path, ".yml")+".json"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !json.Valid(text) {
			t.Errorf("%s: its records are no JSON", m.Rule().Path)
		}
		for _, x := range account.FindAllStringSubmatch(string(text), -1) {
			if x[1] != "111122223333" && x[1] != "444455556666" {
				t.Errorf("%s: the account %s", m.Rule().Path, x[1])
			}
		}
	}
}
