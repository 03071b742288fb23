package falco

import (
	"slices"

	"amber/timeline/detect"
)

// requires are the necessary conditions of a rule that is evaluated on one
// dataset: fields that stand in the record, or in a column, as they are, and
// have to have one of some values.
func requires(plans []*plan, p planner) (out []detect.Require) {
	if len(plans) != 1 {
		return nil
	}
	for _, c := range p.whole.conjuncts() {
		r, ok := required(plans[0].dataset, c)
		if ok && len(r.Values) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// required is what one part demands: a comparison with values, or alternatives
// that all are of one field.
func required(dataset string, c *part) (detect.Require, bool) {
	switch c.kind {
	case kindCheck:
		field, column := stored(dataset, c.leaf.left)
		ok := field != "" && !c.leaf.negated && len(c.leaf.left.funcs) == 0 && c.leaf.test.texts != nil
		return detect.Require{Field: field, Column: column, Values: c.leaf.test.texts}, ok
	case kindOr:
		return union(dataset, c.kids)
	case kindAnd:
		for _, k := range c.kids {
			if r, ok := required(dataset, k); ok {
				return r, true
			}
		}
	}
	return detect.Require{}, false
}

func union(dataset string, alternatives []*part) (detect.Require, bool) {
	var out detect.Require
	for i, k := range alternatives {
		r, ok := required(dataset, k)
		if !ok || i > 0 && r.Field != out.Field {
			return detect.Require{}, false
		}
		out.Field, out.Column = r.Field, r.Column
		out.Values = append(slices.Clip(out.Values), r.Values...)
	}
	return out, true
}

// stored is where the View has a field as it is, "" where it takes more than
// that.
func stored(dataset string, o operand) (field string, column bool) {
	switch dataset {
	case kubeAudit:
		field = kubePaths[o.field]
	case cloudTrail:
		field = trailPaths[o.field]
	case gcpAudit:
		field = gcpPaths[o.field]
	case oktaSystem:
		field = oktaPaths[o.field]
	case auditdLog:
		if o.field == "evt.type" {
			return auditCall, true
		}
	case falcoAlerts:
		if o.field == "evt.type" {
			return "output_fields.evt.type", false
		}
	}
	if field == "" && (o.field == "jevt.value" || o.field == "json.value") {
		field, _ = pointer(o.arg)
	}
	return field, false
}
