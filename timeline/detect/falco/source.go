package falco

import (
	"amber/timeline/detect"
	"amber/timeline/source/jsonscan"
)

// The datasets that rules run over, as timeline/source names them.
const (
	auditdLog   = "auditd.log"
	tetragonLog = "cilium_tetragon.log"
	falcoAlerts = "falco.alerts"
	kubeAudit   = "kubernetes.audit_logs"
	cloudTrail  = "aws.cloudtrail"
)

// origin is one of Falco's sources of events.
type origin struct {
	datasets []string // those that a source of the timeline gives, in order
	field    func(dataset string, o operand) (accessor, bool)
	typed    func(o operand) (fieldType, bool)
}

// originOf finds a source by the name that rules give it. For a new source of
// the timeline, add its dataset and the table of its fields here.
func originOf(name string) (origin, bool) {
	switch name {
	case "syscall", "":
		return origin{[]string{auditdLog, tetragonLog, falcoAlerts}, syscallAccessor, syscallField}, true
	case "k8s_audit":
		return origin{[]string{kubeAudit}, kubeAccessor, kubeField}, true
	case "aws_cloudtrail":
		return origin{[]string{cloudTrail}, trailAccessor, trailField}, true
	case "azure_platformlogs", "syslog", "k8smeta", "gitlab", "salesforce", "box", "keycloak", "hashicorp-vault":
		return origin{}, true
	}
	return pluginOrigin(name)
}

// scratch is what one evaluation needs; it is used again for the next.
type scratch struct {
	left []detect.Value // of a comparison of two fields
	vals []detect.Value
	more []detect.Value // a second list, of a field on the right or of an intermediate step
	buf  []byte
	scan jsonscan.Scanner
}

func (s *scratch) reset() {
	s.vals, s.more, s.buf = s.vals[:0], s.more[:0], s.buf[:0]
}

// text adds a value that is built in buf since start.
func (s *scratch) built(start int) {
	s.vals = append(s.vals, detect.Value{Text: s.buf[start:len(s.buf):len(s.buf)]})
}

func (s *scratch) add(text []byte) { s.vals = append(s.vals, detect.Value{Text: text}) }

func (s *scratch) addString(text string) {
	start := len(s.buf)
	s.buf = append(s.buf, text...)
	s.built(start)
}

// accessor adds a field's values to vals. It reports whether the event tells the
// field: false says that there may be values that the source did not record, and
// then those that were added need not be all.
type accessor func(s *scratch, v detect.View) bool

// recorded is a field of the raw record, null as if it was absent.
func recorded(p string) accessor {
	return func(s *scratch, v detect.View) bool {
		s.vals = present(v.Values(s.vals, p))
		return true
	}
}

// present drops what is null.
func present(vals []detect.Value) []detect.Value {
	kept := vals[:0]
	for _, v := range vals {
		if v.Kind != detect.Null {
			kept = append(kept, v)
		}
	}
	return kept
}

// firstOf is recorded, of which one value counts.
func firstOf(p string) accessor {
	all := recorded(p)
	return func(s *scratch, v detect.View) bool {
		known := all(s, v)
		s.vals = s.vals[:min(1, len(s.vals))]
		return known
	}
}

// column is the first of the timeline's fields that is there. Where none is, the
// source may not have told it.
func column(names ...string) accessor {
	return func(s *scratch, v detect.View) bool {
		for _, n := range names {
			if s.vals = v.Column(s.vals, n); len(s.vals) > 0 {
				return true
			}
		}
		return false
	}
}

// otherwise gives a value where the event has none.
func otherwise(get accessor, value string) accessor {
	return func(s *scratch, v detect.View) bool {
		if get(s, v); len(s.vals) == 0 {
			s.addString(value)
		}
		return true
	}
}

// mapped turns each value into another; f appends to the scratch's buffer, and
// false drops the value.
func mapped(get accessor, f func(buf, text []byte) ([]byte, bool)) accessor {
	return func(s *scratch, v detect.View) bool {
		from := len(s.vals)
		known := get(s, v)
		kept := s.vals[:from]
		for _, val := range s.vals[from:] {
			start := len(s.buf)
			buf, ok := f(s.buf, val.Text)
			if !ok {
				known = false
				continue
			}
			s.buf = buf
			kept = append(kept, detect.Value{Text: buf[start:len(buf):len(buf)]})
		}
		s.vals = kept
		return known
	}
}
