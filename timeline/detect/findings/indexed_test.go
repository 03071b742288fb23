package findings_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"amber/timeline"
	"amber/timeline/detect"
	"amber/timeline/detect/fields"
	"amber/timeline/source/all"
	"amber/timeline/source/framing"
	"amber/timeline/source/sourcetest"
)

// TestIndexed holds what a set of rules finds by its index against what each rule
// finds when it is asked of every event.
func TestIndexed(t *testing.T) {
	for name, set := range map[string]*detect.Set{"own": load(t, "amber").Set, "many": load(t, "many", many(500)).Set, "test": load(t, "test", testRules).Set} {
		t.Run(name, func(t *testing.T) {
			ev := set.Evaluator()
			events, hits, asked := 0, 0, 0
			look := func(v *fields.View) {
				events++
				var got, want []int32
				ev.Match(v, func(rule int32, _ detect.Matcher) { got = append(got, rule) })
				dataset := string(v.Event().GetStr(timeline.EventDataset))
				for i, m := range set.Matchers {
					if slices.Contains(m.Datasets(), dataset) {
						if asked++; m.Match(v) {
							want = append(want, int32(i))
						}
					}
				}
				slices.Sort(got)
				hits += len(want)
				if !slices.Equal(got, want) {
					t.Errorf("%s: rules %v, want %v", v.Raw(), got, want)
				}
			}
			for _, log := range everyLog(t) {
				if err := fields.Read(log.src, bytes.NewReader(log.data), look); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d events, %d hits, %d of %d times a rule was asked", events, hits, ev.Looked, asked)
			if events == 0 || ev.Looked > int64(asked)/2 {
				t.Error("the index is of little use")
			}
		})
	}
}

type someLog struct {
	src  timeline.Source
	data []byte
}

// everyLog is what was recorded, where that is at hand, and what is generated.
func everyLog(t *testing.T) (logs []someLog) {
	t.Helper()
	var kube, trail bytes.Buffer
	if err := sourcetest.KubeAudit(&kube, 3000, 7); err != nil {
		t.Fatal(err)
	}
	if err := sourcetest.CloudTrail(&trail, 3000, 7, false); err != nil {
		t.Fatal(err)
	}
	logs = append(logs, someLog{recognised(kube.Bytes()), kube.Bytes()}, someLog{recognised(trail.Bytes()), trail.Bytes()})
	root := os.Getenv("AMBER_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // it is not at hand
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if src := recognised(plain(t, data)); src != nil {
			logs = append(logs, someLog{src, data})
		}
		return nil
	})
	t.Logf("%d logs", len(logs))
	return logs
}

func plain(t *testing.T, data []byte) []byte {
	t.Helper()
	s, err := framing.Decompress(bytes.NewReader(data), framing.Limits{})
	if err != nil {
		return nil
	}
	defer s.Close()
	head, err := io.ReadAll(io.LimitReader(s, 64<<10))
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func recognised(head []byte) (best timeline.Source) {
	sure := 0
	for _, s := range all.Sources() {
		if n := s.Sniff(head, ""); n > sure {
			best, sure = s, n
		}
	}
	return best
}
