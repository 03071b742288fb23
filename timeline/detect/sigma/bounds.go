package sigma

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"amber/timeline/detect"
)

// condition reads the bounds. Temporal correlations without any want all rules.
func (c *candidate) condition(n, text *yaml.Node, byName map[string]*source) error {
	temporal := strings.HasPrefix(c.of.Kind, "temporal")
	if text != nil && (!temporal || !c.allOf(text.Value, byName)) {
		f := c.at(text, "the condition %q is an expression, which Sigma 2.1 does not have", text.Value)
		f.severity = detect.NotEvaluable
		return f
	}
	if n == nil {
		if !temporal {
			return c.at(c.section, "correlation has no condition")
		}
		c.of.Op, c.of.Value = "gte", float64(len(c.of.Of))
		return nil
	}
	list, err := c.entries(n, "condition")
	if err != nil {
		return err
	}
	percentile := false
	for _, e := range list {
		switch e.name {
		case "field":
			c.of.Field, err = c.texts(e.is, "field")
		case "percentile":
			percentile = true
			c.of.Percent, err = c.numeral(e)
		case "gt", "gte", "lt", "lte", "eq", "neq":
			err = c.bound(e)
		default:
			err = c.at(e.key, "the condition has %q, which Sigma does not know", e.name)
		}
		if err != nil {
			return err
		}
	}
	return c.complete(n, percentile)
}

// allOf tells whether an expression asks no more than that all rules match.
func (c *candidate) allOf(text string, byName map[string]*source) bool {
	var ids []string
	for i, w := range words(text) {
		switch s := byName[w]; {
		case i%2 == 1 && strings.EqualFold(w, "and"):
		case i%2 == 0 && s != nil && !slices.Contains(ids, s.rule.ID):
			ids = append(ids, s.rule.ID)
		default:
			return false
		}
	}
	slices.Sort(ids)
	return slices.Equal(ids, slices.Sorted(slices.Values(c.of.Of)))
}

func (c *candidate) numeral(e entry) (float64, error) {
	f, err := strconv.ParseFloat(e.is.Value, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, c.at(e.is, "%s is %q, which is no number", e.name, e.is.Value)
	}
	return f, nil
}

func (c *candidate) bound(e entry) error {
	v, err := c.numeral(e)
	if err != nil {
		return err
	}
	if c.of.Op == "" {
		c.of.Op, c.of.Value = e.name, v
		return nil
	}
	c.of.Also = append(c.of.Also, detect.Bound{Op: e.name, Value: v})
	return nil
}

// complete checks that the condition has what its type needs.
func (c *candidate) complete(n *yaml.Node, percentile bool) error {
	values := strings.HasPrefix(c.of.Kind, "value_")
	switch {
	case c.of.Op == "":
		return c.at(n, "the condition has none of gt, gte, lt, lte, eq and neq")
	case values && len(c.of.Field) == 0:
		return c.at(n, "the condition of %s has no field", c.of.Kind)
	case !values && len(c.of.Field) > 0:
		return c.at(n, "the condition of %s has a field", c.of.Kind)
	case c.of.Kind != "value_count" && len(c.of.Field) > 1:
		return c.at(n, "the condition of %s has more than one field", c.of.Kind)
	case percentile && c.of.Kind != "value_percentile":
		return c.at(n, "the condition of %s has a percentile", c.of.Kind)
	case c.of.Percent < 0 || c.of.Percent > 100:
		return c.at(n, "the percentile is not between 0 and 100")
	}
	if c.of.Kind == "value_percentile" && !percentile {
		c.of.Percent = 50
		f := c.at(n, "the condition has no percentile; the 50th is taken")
		f.severity = detect.Doubtful
		c.doubts = append(c.doubts, f)
	}
	return nil
}
