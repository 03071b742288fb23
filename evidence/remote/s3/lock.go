package s3

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"amber/evidence/durable"
	"amber/evidence/remote"
)

// Lock is an object lock: what keeps an object from being deleted or replaced,
// by anybody until a time.
type Lock struct {
	Mode  string    `json:"mode,omitempty"` // Governance, Compliance; empty: none
	Until time.Time `json:"until,omitzero"`
	Hold  bool      `json:"legal_hold,omitempty"`
}

// Modes of a lock. Governance can be lifted by those with a right to it,
// Compliance by nobody.
const (
	Governance = "GOVERNANCE"
	Compliance = "COMPLIANCE"
)

// ErrNotHeld says that the storage took an object and did not lock it as it was
// asked to.
var ErrNotHeld = errors.New("the storage did not lock it as it was asked to")

// ask puts what is asked for into the header of a request.
func (l Lock) ask(h http.Header) {
	if l.Mode != "" {
		h.Set("X-Amz-Object-Lock-Mode", l.Mode)
		h.Set("X-Amz-Object-Lock-Retain-Until-Date", l.Until.UTC().Format(time.RFC3339))
	}
	if l.Hold {
		h.Set("X-Amz-Object-Lock-Legal-Hold", "ON")
	}
}

func lockOf(h http.Header) Lock {
	l := Lock{Mode: h.Get("X-Amz-Object-Lock-Mode"), Hold: h.Get("X-Amz-Object-Lock-Legal-Hold") == "ON"}
	if t, err := time.Parse(time.RFC3339, h.Get("X-Amz-Object-Lock-Retain-Until-Date")); err == nil {
		l.Until = t.UTC()
	}
	return l
}

// holds reports whether a lock is at least as strong as the one wanted.
func (l Lock) holds(want Lock) bool {
	if want.Mode != "" && (l.Mode != want.Mode && l.Mode != Compliance || l.Until.Before(want.Until.Truncate(time.Second))) {
		return false
	}
	return l.Hold || !want.Hold
}

func (l Lock) String() string {
	var words []string
	if l.Mode != "" {
		words = append(words, strings.ToLower(l.Mode)+" until "+l.Until.UTC().Format(time.RFC3339))
	}
	if l.Hold {
		words = append(words, "legal hold")
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

// held checks that an object is locked as was asked for.
func (s *Client) held(o Object) error {
	if o.Lock.holds(s.c.Lock) {
		return nil
	}
	return fmt.Errorf("%s: %w: wanted %s, it has %s", o.Key, ErrNotHeld, s.c.Lock, o.Lock)
}

// extend locks an object that was there before for longer, where it must be.
func (s *Client) extend(ctx context.Context, o Object) error {
	want := s.c.Lock
	if o.Lock.holds(want) {
		return nil
	}
	durable.Point("before lock object")
	defer durable.Point("after lock object")
	if want.Mode != "" && !o.Lock.holds(Lock{Mode: want.Mode, Until: want.Until}) {
		if o.Lock.Until.After(want.Until) { // a lock is made stronger, not shorter
			want.Until = o.Lock.Until
		}
		if err := s.setLock(ctx, o.Key, "retention", retention{Mode: want.Mode, Until: want.Until.UTC().Format(time.RFC3339)}); err != nil {
			return err
		}
	}
	if want.Hold && !o.Lock.Hold {
		if err := s.setLock(ctx, o.Key, "legal-hold", legalHold{Status: "ON"}); err != nil {
			return err
		}
	}
	o, err := s.head(ctx, o.Key)
	if err != nil {
		return err
	}
	return s.held(o)
}

type retention struct {
	XMLName xml.Name `xml:"Retention"`
	Mode    string
	Until   string `xml:"RetainUntilDate"`
}

type legalHold struct {
	XMLName xml.Name `xml:"LegalHold"`
	Status  string
}

func (s *Client) setLock(ctx context.Context, key, what string, v any) error {
	r, err := request{op: "PutObject " + what, method: http.MethodPut, key: key, query: url.Values{what: {""}}}.withXML(v)
	if err != nil {
		return err
	}
	return s.answer(ctx, r, nil)
}

// Offers reports whether the bucket can lock objects, and what lock it gives to
// each by itself. A storage that does not know the question offers none.
func (s *Client) Offers(ctx context.Context) (bool, string, error) {
	var x struct {
		Enabled string `xml:"ObjectLockEnabled"`
		Rule    struct {
			Default struct {
				Mode        string
				Days, Years int
			} `xml:"DefaultRetention"`
		}
	}
	err := s.answer(ctx, request{op: "GetObjectLockConfiguration", method: http.MethodGet, query: url.Values{"object-lock": {""}}}, &x)
	if e := (*Error)(nil); errors.As(err, &e) && e.Code != "NoSuchBucket" && (e.Status == http.StatusNotFound || e.Status == http.StatusNotImplemented || e.Status == http.StatusBadRequest) {
		return false, "", nil
	}
	if err != nil || x.Enabled != "Enabled" {
		return false, "", err
	}
	d := x.Rule.Default
	switch {
	case d.Days > 0:
		return true, fmt.Sprintf("%s for %d days", strings.ToLower(d.Mode), d.Days), nil
	case d.Years > 0:
		return true, fmt.Sprintf("%s for %d years", strings.ToLower(d.Mode), d.Years), nil
	}
	return true, "", nil
}

// LockOf is how a blob is locked.
func (s *Client) LockOf(ctx context.Context, b remote.Blob) (Lock, error) {
	o, err := s.head(ctx, s.key(blobPrefix+b.Digest))
	return o.Lock, err
}
