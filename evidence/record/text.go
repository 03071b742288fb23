package record

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Text is bytes that are usually text, such as a command-line argument or a
// file's name. In JSON it is a string where it is valid UTF-8, and otherwise
// an object with the one key base64: {"base64":"/v8="}. No byte is lost.
type Text string

type textBytes struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON never fails.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(textBytes{[]byte(t)})
}

// UnmarshalJSON reads either form.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = Text(s)
		return nil
	}
	var o textBytes
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	if o.Base64 == nil {
		return errors.New("text: neither a string nor an object with base64")
	}
	*t = Text(o.Base64)
	return nil
}
