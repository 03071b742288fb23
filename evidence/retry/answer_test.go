package retry

import "testing"

func TestPassing(t *testing.T) {
	for status, want := range map[int]bool{400: false, 404: false, 408: true, 429: true, 500: true, 501: false, 503: true} {
		if got := Passing(status); got != want {
			t.Errorf("%d: %v", status, got)
		}
	}
}

func TestRefusal(t *testing.T) {
	for want, got := range map[string]string{
		"putting it: the storage answers 503 SlowDown: later": Refusal("putting it", "storage", 503, "SlowDown", "later"),
		"asking: the server answers 404":                      Refusal("asking", "server", 404, "", ""),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
