package kube

import (
	"encoding/json"
	"strings"
	"testing"

	"amber/isolate"
)

// Whatever selects, reading it does no harm, and a label that is taken off
// because of it was on the pod.
func FuzzSelecting(f *testing.F) {
	f.Add("services", []byte(`{"metadata":{"name":"web"},"spec":{"selector":{"app":"web"}}}`))
	f.Add("networkpolicies", []byte(`{"spec":{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["web"]}]}}}`))
	f.Add("replicasets", []byte(`{"spec":{"selector":{"matchLabels":{"app":"web"}}}}`))
	pod := map[string]string{"app": "web", "tier": "front"}
	f.Fuzz(func(t *testing.T, resource string, data []byte) {
		s, ok, err := parseSelecting(resource, resource, data)
		if err != nil || !ok {
			return
		}
		if !s.selects(pod) {
			return
		}
		for _, k := range usedLabels(pod, []selecting{s}) {
			if pod[k] == "" {
				t.Errorf("%q is used", k)
			}
		}
	})
}

// A journal is read back as any text: what is understood names a hold.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"hold":"a","pod":{"uid":"u"},"object":{"version":"v1","resource":"pods"},"fields":[{"path":["metadata","labels","a"],"before":"\"x\""}]}`))
	f.Add([]byte(`{"hold":"a","pod":{"uid":"u"},"fields":[{"path":[]}]}`))
	f.Add([]byte(`{"hold":"a","pod":{"uid":"u"},"fields":[{"path":["metadata","uid","x"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decode(isolate.Step{Before: data})
		if err != nil {
			return
		}
		if b.Hold == "" || b.Pod.UID == "" {
			t.Errorf("%s names no hold", data)
		}
		o, _ := parseObject([]byte(`{"metadata":{"name":"n"},"spec":{"unschedulable":true}}`))
		_, _ = (&Method{}).podBack(b, o)
		_, _ = nodeBack(b, o)
		_ = b.takenOff()
		_ = b.asRecorded(isolate.Step{Action: actionLabel}, o, nil)
		_, _ = b.asMade(o)
		_ = mergePatch(o, b.Fields)
	})
}

// A node's annotations are written by who has the node: what they say of the
// time before is read or left.
func FuzzFound(f *testing.F) {
	f.Add(`{"unschedulable":true}`)
	f.Add(`{"scaleDownDisabled":"x"}`)
	f.Add("{")
	f.Fuzz(func(t *testing.T, said string) {
		b := before{Hold: "h", Pod: podID{UID: "u"}}
		data, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{nodeBefore: said, holdOnNode + "h": "c"}}, "spec": map[string]any{"unschedulable": true}})
		if err != nil {
			t.Fatal(err)
		}
		o, err := parseObject(data)
		if err != nil {
			t.Fatal(err)
		}
		fields, _ := nodeBack(b, o)
		if !json.Valid(mergePatch(o, fields)) {
			t.Errorf("%q makes a patch that is no JSON: %s", said, mergePatch(o, fields))
		}
	})
}

// No reference of an image gets out of the literal that it stands in.
func FuzzCELString(f *testing.F) {
	f.Add(`registry.example/web:1.4`)
	f.Add(`" || true || "`)
	f.Add("a\\\n\x00\u2028\xff")
	f.Fuzz(func(t *testing.T, s string) {
		lit := celString(s)
		inner, ok := strings.CutPrefix(lit, `"`)
		if !ok || !strings.HasSuffix(lit, `"`) || len(lit) < 2 {
			t.Fatalf("%q is %s", s, lit)
		}
		inner = inner[:len(inner)-1]
		for i := 0; i < len(inner); i++ {
			switch {
			case inner[i] == '\\':
				i++
				if i == len(inner) {
					t.Fatalf("%s ends in an escape", lit)
				}
			case inner[i] == '"' || inner[i] < 0x20:
				t.Fatalf("%s holds %q", lit, inner[i])
			}
		}
	})
}

func FuzzNamesPod(f *testing.F) {
	f.Add([]byte(`{"metadata":{"name":"web-a"},"endpoints":[{"conditions":{"ready":true},"targetRef":{"uid":"u"}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, all, err := namesPod(data, "u", false)
		_, ready, err2 := namesPod(data, "u", true)
		if (err == nil) != (err2 == nil) || ready && !all {
			t.Errorf("%s: %v %v", data, all, ready)
		}
	})
}

// contains is reflexive, whatever the API server may answer.
func FuzzContains(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}],"c":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v any
		if json.Unmarshal(data, &v) == nil && !contains(v, v) {
			t.Errorf("%s does not contain itself", data)
		}
	})
}

func TestContains(t *testing.T) {
	for _, x := range []struct {
		have, want string
		ok         bool
	}{
		{`{"a":1,"filled":"in"}`, `{"a":1}`, true},
		{`{}`, `{"left out":[],"and":{}}`, true},
		{`{"a":[{"b":1,"scope":"*"}]}`, `{"a":[{"b":1}]}`, true},
		{`{"a":[1]}`, `{"a":[]}`, false},
		{`{"a":[1]}`, `{"a":[1,2]}`, false},
		{`{"a":2}`, `{"a":1}`, false},
		{`{}`, `{"a":1}`, false},
		{`{"a":"x"}`, `{"a":{"b":1}}`, false},
		{`{"a":"x"}`, `{"a":{}}`, false},
	} {
		var have, want any
		if err := json.Unmarshal([]byte(x.have), &have); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(x.want), &want); err != nil {
			t.Fatal(err)
		}
		if got := contains(have, want); got != x.ok {
			t.Errorf("%s contains %s: %v", x.have, x.want, got)
		}
	}
}

func TestRecognise(t *testing.T) {
	for want, names := range map[string][]string{
		"Calico": {"node-exporter", "calico-node"}, "Cilium": {"cilium"}, "not: Flannel, which enforces none by itself": {"kube-flannel-ds"},
		"Canal (Calico's policies)": {"canal", "kube-flannel-ds"}, "": {"fluentd"},
	} {
		if got := strings.Join(recognise(names), ", "); got != want {
			t.Errorf("%v: %q, want %q", names, got, want)
		}
	}
}
