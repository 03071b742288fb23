package retry

import (
	"fmt"
	"net/http"
)

// Passing reports whether a state of HTTP may be another the next time.
func Passing(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusRequestTimeout ||
		status >= 500 && status != http.StatusNotImplemented
}

// Refusal words an answer that is not what was asked for. Code and message, in
// the server's own words, may be empty.
func Refusal(asked, who string, status int, code, message string) string {
	text := fmt.Sprintf("%s: the %s answers %d", asked, who, status)
	if code != "" {
		text += " " + code
	}
	if message != "" {
		text += ": " + message
	}
	return text
}
