package falco

import "amber/timeline/detect"

// alertAccessor finds a field in the output fields of Falco's own alerts: those
// that the alert's rule names. What it does not name is not told.
func alertAccessor(o operand) accessor {
	key := "output_fields." + o.name()
	get := named(key)
	switch o.field {
	case "fd.directory":
		return orElse(get, mapped(named("output_fields.fd.name"), dirname))
	case "fd.filename":
		return orElse(get, mapped(named("output_fields.fd.name"), basename))
	case "container.image.repository":
		return orElse(get, mapped(named("output_fields.container.image"), imageName))
	}
	if from := alertParts[o.field]; from != nil && !o.hasArg {
		return orElse(get, eachOf(from))
	}
	if other, ok := evtAccessor(o); ok && !o.hasArg {
		return orElse(get, other)
	}
	return get
}

// alertParts are the fields that others are made of.
var alertParts = map[string][]string{
	"fd.ip": {"fd.cip", "fd.sip"}, "fd.net": {"fd.cip", "fd.sip"}, "fd.port": {"fd.cport", "fd.sport"},
	"fd.cnet": {"fd.cip"}, "fd.snet": {"fd.sip"}, "fd.lnet": {"fd.lip"}, "fd.rnet": {"fd.rip"},
}

// eachOf is the values of several output fields, told where all of them are.
func eachOf(fields []string) accessor {
	var parts []accessor
	for _, f := range fields {
		parts = append(parts, named("output_fields."+f))
	}
	return func(s *scratch, v detect.View) bool {
		told := true
		for _, get := range parts {
			told = get(s, v) && told
		}
		return told
	}
}

// named is an output field. It is told, and absent, where it is null or <NA>.
func named(key string) accessor {
	return func(s *scratch, v detect.View) bool {
		from := len(s.vals)
		s.vals = v.Values(s.vals, key)
		told := len(s.vals) > from
		kept := s.vals[:from]
		for _, val := range s.vals[from:] {
			if val.Kind != detect.Null && string(val.Text) != "<NA>" {
				kept = append(kept, val)
			}
		}
		s.vals = kept
		return told
	}
}

func orElse(first, second accessor) accessor {
	return func(s *scratch, v detect.View) bool {
		from := len(s.vals)
		if first(s, v) && len(s.vals) > from {
			return true
		}
		s.vals = s.vals[:from]
		return second(s, v)
	}
}
