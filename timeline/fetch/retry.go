package fetch

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"amber/evidence/retry"
)

const (
	tries     = 10
	firstWait = 500 * time.Millisecond
	longest   = 30 * time.Second
	patience  = 10 * time.Minute // of what a server asks for
)

// Refused is an answer that is not what was asked for.
type Refused struct {
	Call    string
	Status  int
	Code    string // the vendor's word: ThrottlingException, RESOURCE_EXHAUSTED
	Message string
	Wait    time.Duration // that the server asks for
}

func (e *Refused) Error() string {
	return retry.Refusal(e.Call, "server", e.Status, e.Code, e.Message)
}

// Transient reports whether the same call may go well later.
func (e *Refused) Transient() bool {
	switch e.Code {
	case "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "InternalFailure", "ServiceUnavailable":
		return true
	}
	return retry.Passing(e.Status)
}

// After is how long the server asks to wait.
func (e *Refused) After() time.Duration { return e.Wait }

// Send makes a call. An answer other than 2xx is a *Refused.
func Send(c *http.Client, req *http.Request, call string) (*http.Response, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	e := &Refused{Call: call, Status: resp.StatusCode, Wait: after(resp.Header, time.Now())}
	e.Code, e.Message = readRefusal(data)
	return nil, e
}

// readRefusal reads what vendors write into an error's body: AWS {"__type",
// "message"}, Google and Azure {"error":{"status"|"code","message"}}, token
// endpoints {"error","error_description"}. What is none of these is left out.
func readRefusal(data []byte) (code, message string) {
	var x struct {
		Type    string          `json:"__type"`
		Message string          `json:"message"`
		Upper   string          `json:"Message"`
		Error   json.RawMessage `json:"error"`
		Told    string          `json:"error_description"`
	}
	var inner struct {
		Status  string          `json:"status"`
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
	}
	_ = json.Unmarshal(data, &x)
	_ = json.Unmarshal(x.Error, &inner)
	code = x.Type
	for i := len(code) - 1; i >= 0; i-- {
		if code[i] == '#' {
			code = code[i+1:]
			break
		}
	}
	if code == "" {
		code = inner.Status
	}
	for _, c := range []json.RawMessage{inner.Code, x.Error} {
		if code == "" {
			_ = json.Unmarshal(c, &code)
		}
	}
	for _, m := range []string{x.Message, x.Upper, inner.Message, x.Told} {
		if message == "" {
			message = m
		}
	}
	return code, message[:min(len(message), 1000)]
}

// after reads Retry-After, in seconds or as a date (RFC 9110, 10.2.3).
func after(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if s, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(s) * time.Second
	}
	if t, err := http.ParseTime(text); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// policy is how a call is made again.
func policy(note func(error, time.Duration)) retry.Policy {
	return retry.Policy{Tries: tries, First: firstWait, Longest: longest, Patience: patience, Transient: transient, Note: note}
}

// transient reports whether an error may be another the next time: one that
// says so, or what broke on the way.
func transient(err error) bool {
	return !errors.Is(err, ErrForgotten) && retry.Transient(err, func(err error) bool {
		var network net.Error
		return errors.As(err, &network)
	})
}
