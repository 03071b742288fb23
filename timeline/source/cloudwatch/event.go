package cloudwatch

import (
	"bytes"

	"amber/timeline/source/jsonscan"
)

// Event is what EventBridge, once CloudWatch Events, puts around a service's own.
type Event struct{ Type, Source, Account, Region, Detail []byte }

// OpenEvent finds the service's own event in a record that EventBridge wrapped.
// Any other, and a broken one, is false.
func OpenEvent(s *jsonscan.Scanner, record []byte) (e Event, ok bool) {
	if !bytes.Contains(record[:min(len(record), 512)], []byte(`"detail-type"`)) {
		return e, false
	}
	s.Reset(record)
	for ok := s.Object(); ok; ok = s.NextMember() {
		switch string(s.Key()) {
		case "detail-type":
			e.Type = s.Text()
		case "source":
			e.Source = s.Text()
		case "account":
			e.Account = s.Text()
		case "region":
			e.Region = s.Text()
		case "detail":
			e.Detail = s.Text()
		default:
			s.Skip()
		}
	}
	return e, s.End() == nil && len(e.Type) > 0 && len(e.Detail) > 0 && e.Detail[0] == '{'
}
