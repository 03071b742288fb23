package rules_test

import (
	"sync"
	"testing"

	"amber/timeline/detect"
	"amber/timeline/detect/rules"
	"amber/timeline/detect/sigma"
)

// pack is the loaded pack.
var pack = sync.OnceValue(func() detect.Rules { return sigma.Load(rules.FS()) })

func TestPackLoads(t *testing.T) {
	p := pack()
	for _, x := range p.Problems {
		if x.Severity == detect.Doubtful {
			t.Logf("%s:%d: %s: %s %v", x.Path, x.Line, x.Severity, x.Reason, x.Fields)
			continue
		}
		t.Errorf("%s:%d: %s: %s %v", x.Path, x.Line, x.Severity, x.Reason, x.Fields)
	}
	if n := len(p.Matchers) + len(p.Correlations); n < 60 {
		t.Errorf("%d rules, 60 wanted", n)
	}
}
