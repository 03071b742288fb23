package jsonscan

import (
	"bytes"
	"errors"

	"amber/timeline"
)

// Reason is why a record is rejected of which the scanner says err.
func Reason(err error) timeline.Reason {
	switch {
	case errors.Is(err, ErrTruncated):
		return timeline.Truncated
	case errors.Is(err, ErrDepth):
		return timeline.TooDeep
	}
	return timeline.BadSyntax
}

// Rejected is the *timeline.RejectError of a text of which the scanner says
// err; one with zeros in it is no text.
func Rejected(data []byte, err error) error {
	reason := Reason(err)
	if bytes.IndexByte(data, 0) >= 0 {
		reason = timeline.NotText
	}
	return &timeline.RejectError{Reason: reason, Detail: err.Error()}
}
