package rules_test

import (
	"bytes"
	"path/filepath"
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

// sources are the folders of recorded logs that the pack has rules for.
var recorded = map[string]timeline.Source{
	"kube-audit": kubeaudit.Source{}, "cloudtrail": cloudtrail.Source{}, "auditd": auditd.Source{}, "tetragon": tetragon.Source{},
}

func TestDump(t *testing.T) {
	set := pack().Matchers
	for folder, src := range recorded {
		dir := sourcetest.Data(t, folder)
		counts := map[string]int{}
		sourcetest.Files(t, dir, func(path string, plain []byte) {
			err := fields.Read(src, bytes.NewReader(plain), func(v *fields.View) {
				for _, m := range set {
					if has(m.Datasets(), v) && m.Match(v) {
						p := path
						if filepath.Base(filepath.Dir(path)) == "simulation-55min" {
							p = "simulation"
						}
						counts[m.Rule().Path+"  "+p]++
					}
				}
			})
			if err != nil {
				t.Error(path, err)
			}
		})
		for k, n := range counts {
			t.Logf("%s %4d %s", folder, n, k)
		}
	}
}

func has(datasets []string, v detect.View) bool {
	d := string(v.Event().GetStr(timeline.EventDataset))
	for _, x := range datasets {
		if x == d {
			return true
		}
	}
	return false
}
