package velociraptor

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strconv"
	"strings"

	"amber/timeline"
	"amber/timeline/source/framing"
)

// Kinds of the records of a collection, whose Range is that of the member that
// they stand in, as it is stored, and whose Line is their place in it.
const (
	row    = 1 // of an artefact
	passed = 2 // a member that holds no rows; Data is its name
)

// collection reads a ZIP file, whose directory stands at its end.
func collection(ctx context.Context, r io.Reader, yield func(timeline.Record, error) bool) {
	f, size, err := framing.Spool(ctx, r)
	if err != nil {
		yield(timeline.Record{}, unreadable(err))
		return
	}
	defer f.Close()
	z, err := zip.NewReader(f, size)
	if err != nil {
		yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Truncated, Detail: "a ZIP file: " + err.Error(), Range: timeline.Range{Length: size}})
		return
	}
	about := aboutOf(z)
	for _, m := range z.File {
		if ctx.Err() != nil {
			yield(timeline.Record{}, ctx.Err())
			return
		}
		if !member(ctx, m, about, yield) {
			return
		}
	}
}

func unreadable(err error) error {
	var told *timeline.RejectError
	if errors.As(err, &told) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &timeline.RejectError{Reason: timeline.Unreadable, Detail: err.Error()}
}

// artefact is whose rows a member holds, "" for none.
func artefact(name string) string {
	base := path.Base(name)
	if base == "log.json" || base == "log.jsonl" {
		return "log"
	}
	if !strings.HasPrefix(name, "results/") && !strings.Contains(name, "/results/") && !isArtefact(base) {
		return ""
	}
	own, ok := strings.CutSuffix(base, ".json")
	if !ok {
		own, ok = strings.CutSuffix(base, ".jsonl")
	}
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(own); err == nil {
		own = plain
	}
	return own
}

// isArtefact knows the names of artefacts, which older collectors have at the
// archive's top.
func isArtefact(name string) bool {
	set, rest, ok := strings.Cut(name, ".")
	if !ok || !strings.Contains(rest, ".") {
		return false
	}
	switch set {
	case "Linux", "Windows", "MacOS", "Generic", "Custom", "Server", "Exchange", "Network", "Admin", "System":
		return true
	}
	return false
}

// Bounds of what a member may become.
const (
	ratio     = 500
	ratioFrom = 128 << 20
	maxAbout  = 1 << 20
)

// member frames one; false is that yield wants no more.
func member(ctx context.Context, m *zip.File, about string, yield func(timeline.Record, error) bool) bool {
	if strings.HasSuffix(m.Name, "/") {
		return true
	}
	at := timeline.Range{Length: int64(m.CompressedSize64)}
	if offset, err := m.DataOffset(); err == nil {
		at.Offset = offset
	}
	name := artefact(m.Name)
	switch {
	case name == "":
		return yield(timeline.Record{Data: []byte(m.Name), Range: at, Kind: passed}, nil)
	case m.Flags&1 != 0:
		return yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Unreadable, Range: at, Detail: m.Name + " is encrypted: extract it with the collection's password"})
	case m.UncompressedSize64 > ratioFrom && m.UncompressedSize64/ratio > m.CompressedSize64:
		return yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Bomb, Range: at, Detail: m.Name})
	}
	in, err := m.Open()
	if err != nil {
		return yield(timeline.Record{}, &timeline.RejectError{Reason: timeline.Unreadable, Range: at, Detail: fmt.Sprintf("%s: %v", m.Name, err)})
	}
	defer in.Close()
	return rows(ctx, in, at, []byte(name+"\x00"+about), yield)
}

func rows(ctx context.Context, in io.Reader, at timeline.Range, group []byte, yield func(timeline.Record, error) bool) bool {
	n := int64(0)
	for rec, err := range (framing.JSON{}).Records(ctx, in) {
		n++
		rec.Range, rec.Line, rec.Kind, rec.Group = at, n, row, group
		var told *timeline.RejectError
		if errors.As(err, &told) {
			own := *told
			own.Range, own.Line = at, n
			err = &own
		}
		if !yield(rec, err) {
			return false
		}
	}
	return true
}

// aboutOf is what a collection says of itself: client, host, and when it was
// made in microseconds, with zeros between.
func aboutOf(z *zip.Reader) string {
	var about struct {
		ClientID  string `json:"client_id"`
		ClientId  string // as the exports of the server have it
		Hostname  string
		Fqdn      string
		SessionID string `json:"session_id"`
		Started   int64  `json:"start_time"`
		Created   int64  `json:"create_time"`
	}
	for _, m := range z.File {
		base := path.Base(m.Name)
		if base != "client_info.json" && base != "collection_context.json" || m.Flags&1 != 0 {
			continue
		}
		if in, err := m.Open(); err == nil {
			// What is broken in it leaves the fields empty, which rows say.
			_ = json.NewDecoder(io.LimitReader(in, maxAbout)).Decode(&about)
			in.Close()
		}
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v != "" {
				return strings.ReplaceAll(v, "\x00", "")
			}
		}
		return ""
	}
	when := about.Started
	if when == 0 {
		when = about.Created
	}
	for when > 4e15 { // nanoseconds
		when /= 1000
	}
	return strings.Join([]string{first(about.ClientID, about.ClientId), first(about.Fqdn, about.Hostname), first(about.SessionID), strconv.FormatInt(when, 10)}, "\x00")
}
