package rules_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/detect/rules"
)

const coverage = "../../../docs/coverage.md"

// uncovered says of techniques of the Containers matrix that no rule names why.
var uncovered = map[string]string{
	"T1078.003": "a local account that is used as it was meant to be looks like its owner; what it then does is found",
	"T1110.004": "passwords that leaked elsewhere are tried as T1110 and T1110.003 are found",
	"T1550":     "but for T1550.001, which is what there is of it in containers",
}

var order = []string{
	"initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion", "credential-access", "discovery",
	"lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
}

// docs/coverage.md says which techniques the pack covers; it is this test's, and
// it is not out of date.
func TestCoverage(t *testing.T) {
	var b bytes.Buffer
	heading(&b)
	matrix(t, &b)
	clouds(t, &b)
	others(&b)
	blind(&b)
	adding(&b)
	if flag.Lookup("update").Value.String() == "true" { // sourcetest's
		if err := os.WriteFile(coverage, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(coverage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(is, b.Bytes()) {
		t.Errorf("docs/coverage.md is out of date: go test ./timeline/detect/rules -run Coverage -update")
	}
}

func heading(b *bytes.Buffer) {
	counts := map[string]int{}
	for _, r := range all() {
		counts[strings.Split(r.Path, "/")[0]]++
		if part(r) {
			counts["parts"]++
		}
	}
	fmt.Fprintf(b, "# What the pack covers\n\n")
	fmt.Fprintf(b, "amber's own rules are in timeline/detect/rules, in Sigma form: %d for Kubernetes' audit log, %d for CloudTrail, %d for Google Cloud, %d for Azure and its directory, %d for Okta, %d for GitHub, %d for web servers, %d for Linux (auditd, Falco, Tetragon, process lists), %d for what amber collects. %d of them correlate others; %d are parts of correlations and give no findings of their own.\n\n",
		counts["kubernetes"], counts["cloudtrail"], counts["gcp"], counts["azure"], counts["okta"], counts["github"], counts["webserver"], counts["linux"], counts["bundle"], len(pack().Correlations), counts["parts"])
	fmt.Fprintf(b, "A test writes this page and fails where it is out of date (`go test ./timeline/detect/rules -run Coverage -update`). Techniques are those of MITRE ATT&CK Enterprise 18.1.\n")
}

// naming are the rules that name a technique, and give findings.
func naming(id string) (list []*detect.Rule) {
	for _, r := range all() {
		if !part(r) && slices.Contains(r.Techniques, id) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *detect.Rule) int {
		return cmp.Or(int(b.Level)-int(a.Level), strings.Compare(a.Path, b.Path))
	})
	return list
}

func named(list []*detect.Rule) string {
	const most = 6
	var names []string
	for i, r := range list {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		names = append(names, "`"+strings.TrimSuffix(path.Base(r.Path), ".yml")+"`")
	}
	return strings.Join(names, ", ")
}

// subs are the parts of a technique that rules name.
func subs(id string) (list []string) {
	for other := range rules.Techniques() {
		if strings.HasPrefix(other, id+".") && len(naming(other)) > 0 {
			list = append(list, other)
		}
	}
	slices.Sort(list)
	return list
}

// matrix is the Containers matrix, by tactic.
func matrix(t *testing.T, b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## The Containers matrix\n\nEvery technique of it. A technique without rules of its own says through which parts it is covered, or why it is not.\n")
	for _, tactic := range order {
		var list []rules.Technique
		for _, x := range rules.Techniques() {
			if slices.Contains(x.Matrices, "containers") && slices.Contains(x.Tactics, tactic) {
				list = append(list, x)
			}
		}
		if len(list) == 0 {
			continue
		}
		slices.SortFunc(list, func(a, b rules.Technique) int { return strings.Compare(a.ID, b.ID) })
		fmt.Fprintf(b, "\n### %s\n\n| technique | | rules |\n|---|---|---|\n", title(tactic))
		for _, x := range list {
			fmt.Fprintf(b, "| %s | %s | %s |\n", x.ID, x.Name, covering(t, x.ID))
		}
	}
}

func covering(t *testing.T, id string) string {
	if list := naming(id); len(list) > 0 {
		return named(list)
	}
	if why := uncovered[id]; why != "" {
		return "not covered: " + why
	}
	if parts := subs(id); len(parts) > 0 {
		return "by " + strings.Join(parts, ", ")
	}
	t.Errorf("%s is not covered, and nobody says why", id)
	return ""
}

func title(tactic string) string {
	words := strings.ReplaceAll(tactic, "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// clouds are the attacks of Stratus Red Team that the pack is tried on.
func clouds(t *testing.T, b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## Attacks on AWS\n\nThe attacks of [Stratus Red Team](https://stratus-red-team.cloud) that the pack is tried on, the technique that each is, and the rule that finds it.\n\n| attack | technique | rule |\n|---|---|---|\n")
	for _, attack := range slices.Sorted(maps.Keys(stratus)) {
		is := stratus[attack]
		if !slices.ContainsFunc(naming(is.technique), func(r *detect.Rule) bool { return r.Path == "cloudtrail/"+is.rule+".yml" }) {
			t.Errorf("%s: no rule %s names %s", attack, is.rule, is.technique)
		}
		fmt.Fprintf(b, "| %s | %s %s | `%s` |\n", attack, is.technique, rules.Techniques()[is.technique].Name, is.rule)
	}
}

// others are techniques of other matrices that rules name.
func others(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## Techniques of other matrices\n\nOf Linux, of clouds and of what comes before an intrusion, as far as they are seen around containers.\n\n| technique | | rules |\n|---|---|---|\n")
	for _, id := range slices.Sorted(maps.Keys(rules.Techniques())) {
		x := rules.Techniques()[id]
		if list := naming(id); len(list) > 0 && !slices.Contains(x.Matrices, "containers") {
			fmt.Fprintf(b, "| %s | %s | %s |\n", id, x.Name, named(list))
		}
	}
}

// blind is what no rule can see, and what to know of those that there are.
func blind(b *bytes.Buffer) {
	b.WriteString(`
## What is not seen

- **An audit log at the level Metadata** has no bodies: what a role allows, what a pod mounts, whom a binding names. There the rules on the request itself are left (who created a cron job where, who impersonated whom), and what Pod Security Admission noted in its annotations. Record at least ` + "`Request`" + ` for pods, workloads, RBAC and webhooks, and ` + "`Metadata`" + ` for secrets.
- **GKE's audit log** has neither HTTP's status, nor who was impersonated, nor the address that was asked for: the rules that need one of them are silent about it (a test lists them). All others match it, where it carries the request.
- **CloudTrail without data events** has no reads and writes of objects, no invocations of functions.
- **auditd** names no parent program: rules on parents are evaluated on Falco's and Tetragon's records alone. A category with a field that a data set cannot give is listed as doubtful by ` + "`amber detect lint`" + `.
- **Credentials of an instance that are used from elsewhere** need the machine's address, which no single record has: the story joins them (docs/story.md).
- **Google Cloud without data access logs** has no tokens taken of service accounts and no secrets read; Azure has what was read in its resources' own logs, which are not evaluated.
- **Of a list of changes** (the bindings of a policy, the properties of an account) each field of a rule may be another element's: a policy that adds a viewer and removes an owner is found as an owner added.
- **GitHub's clones** are in the audit log of enterprises alone, and are kept for a week.
- **A user agent is what the client says.** Rules leave out the control plane's own traffic by account where they can; eight of them by user agent as well (` + "`secrets_listed_everywhere`, `secrets_listed_by_workload`, `backup_objects_deleted`, `system_secret_read`, `token_requested`, `pod_deleted_by_force`, `workload_in_system_namespace`, `service_account_in_system_namespace`" + `), because clusters are met in which all components share an account.
`)
}

// adding says how a rule comes into the pack.
func adding(b *bytes.Buffer) {
	b.WriteString(`
## Adding a rule

One file in the folder of its log, named after what it detects; a condition of terms that all hold (` + "`a and b and not 1 of filter_*`" + `); ` + "`why`, `response`, `falsepositives`" + ` and a technique of timeline/detect/rules/attack.tsv. Beside it in testdata, under the same name, a record that it matches, and cases that each alter one thing of it, by JSON pointer, with whether it matches then. The tests take each field, value and term out of the rule and ask for a case that notices; they ask for the same of correlations, and that the pack is silent about testdata/everyday.
`)
}
