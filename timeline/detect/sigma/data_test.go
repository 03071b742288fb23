package sigma

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/auditd"
	"amber/timeline/source/cloudtrail"
	"amber/timeline/source/kubeaudit"
	"amber/timeline/source/sourcetest"
	"amber/timeline/source/tetragon"
)

// broad are rules that find something in any log, whatever it holds.
const broad = `title: trail
id: trail
logsource: {product: aws, service: cloudtrail}
detection: {a: {userIdentity.type: [AssumedRole, IAMUser, Root, AWSService, AWSAccount]}, b: {awsRegion|startswith: [us-, eu-, ap-]}, condition: a and b}
---
title: audit
id: audit
logsource: {product: kubernetes, service: audit}
detection: {a: {verb: [get, list, create, watch, update, patch, delete], stage: ResponseComplete}, condition: a}
---
title: records
id: records
logsource: {product: linux, service: auditd}
detection: {a: {type: [SYSCALL, USER_AUTH, USER_START, EXECVE, ADD_USER]}, b: {res: [success, failed]}, condition: 1 of them}
---
title: processes
id: processes
logsource: {product: linux, category: process_creation}
detection: {a: {Image|contains: /}, condition: a}
`

// What a rule says it requires, every event that it finds has: an index made of
// it loses nothing. On recorded logs, with the rules of amber's own pack too.
func TestRequiresOnRecordedLogs(t *testing.T) {
	r := Load(tree("broad.yml", broad), os.DirFS("../rules"))
	requires := map[detect.Matcher][]detect.Require{}
	for _, m := range r.Matchers {
		requires[m] = m.Requires()
	}
	hits := map[string]int{}
	for folder, src := range map[string]timeline.Source{
		"kube-audit": kubeaudit.Source{}, "cloudtrail": cloudtrail.Source{}, "auditd": auditd.Source{}, "tetragon": tetragon.Source{},
	} {
		sourcetest.Files(t, sourcetest.Data(t, folder), func(path string, plain []byte) {
			err := fields.Read(src, bytes.NewReader(plain), func(v *fields.View) {
				dataset := string(v.Event().GetStr(timeline.EventDataset))
				for m, list := range requires {
					if !slices.Contains(m.Datasets(), dataset) || !m.Match(v) {
						continue
					}
					hits[m.Rule().ID]++
					for _, r := range slices.Concat(list, m.(detect.Requirer).RequiresOf(dataset)) {
						if !meets(v, r) {
							t.Errorf("%s: %s matches, and %v of %s is not there", path, m.Rule().ID, r.Values, r.Field)
						}
					}
				}
			})
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
	for _, id := range []string{"trail", "audit", "records", "processes"} {
		if hits[id] == 0 {
			t.Errorf("the rule %s finds nothing", id)
		}
	}
}
