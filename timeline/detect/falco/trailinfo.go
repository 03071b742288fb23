package falco

import "amber/timeline/detect"

// trailInfo is the plugin's summary: who, from where, what.
func trailInfo(s *scratch, v detect.View) bool {
	var who string
	if trailUser(s, v); len(s.vals) > 0 {
		who = string(s.vals[0].Text)
	}
	s.vals = s.vals[:0]
	from, _ := s.one(v, "sourceIPAddress")
	what, ok := s.one(v, "eventName")
	if !ok {
		return true
	}
	failed, arrow := "", "←"
	if _, bad := s.one(v, "errorCode"); bad {
		failed = "!"
	}
	if readOnly(s, v); len(s.vals) > 0 && string(s.vals[0].Text) == "false" {
		arrow = "→"
	}
	s.vals = s.vals[:0]
	s.addString(who + " via " + from + " " + failed + arrow + " " + what)
	return true
}
