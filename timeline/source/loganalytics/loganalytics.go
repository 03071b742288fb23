// Package loganalytics reads what people take out of Azure's Log Analytics and
// Sentinel by asking, as tables: the portal's export as CSV, and answers of the
// query API, which name the columns before the rows.
//
// A row is made the object that Log Analytics would have exported, and read by
// package azure, or by kubeaudit where it is of AKS' audit tables. Objects
// themselves are that package's.
package loganalytics

import (
	"bytes"
	"context"
	"io"
	"iter"
	"strings"

	"amber/timeline"
	"amber/timeline/source/azure"
	"amber/timeline/source/delimited"
	"amber/timeline/source/framing"
	"amber/timeline/source/jsonscan"
)

// Source is the source "log-analytics".
type Source struct{}

// Name is the source's name.
func (Source) Name() string { return "log-analytics" }

// Whole tells that a file can only be read from its beginning, where the columns
// are named.
func (Source) Whole() bool { return true }

// Kinds of records.
const (
	answer   = framing.Element + 1 // a row of an answer, in the rows of its tables
	commaRow = 201
)

// known are columns of which one beside TimeGenerated makes a table Azure's.
const known = " type tenantid operationname operationnamevalue category categoryvalue callerip calleripaddress userprincipalname serviceprincipalid appdisplayname resourceid _resourceid resourceprovider requesturi log_s msg_s fqdn queryname sourcesystem subscriptionid auditid "

// Sniff implements timeline.Source.
func (Source) Sniff(head []byte, _ string) int {
	head = trimmed(head)
	if len(head) == 0 {
		return 0
	}
	if head[0] == '{' {
		return ofAnswer(head)
	}
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	names, _, ok := delimited.SplitCSV(nil, bytes.TrimRight(line, "\r\n"), ',', nil)
	if !ok {
		return 0
	}
	return ofColumns(names)
}

func trimmed(head []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
}

// ofColumns is how sure the names of columns make it.
func ofColumns(names [][]byte) int {
	when, others := false, false
	for _, name := range names {
		bare, _ := unzoned(name)
		when = when || string(bare) == "TimeGenerated"
		others = others || strings.Contains(known, " "+strings.ToLower(string(bare))+" ")
	}
	if when && others {
		return 97
	}
	return 0
}

// ofAnswer knows {"tables":[{"name":…,"columns":[{"name":…,"type":…}, …
func ofAnswer(head []byte) int {
	var s jsonscan.Scanner
	s.Reset(head)
	if !s.Object() || string(s.Key()) != "tables" || s.Kind() != '[' || !s.Array() || s.Kind() != '{' {
		return 0
	}
	for ok := s.Object(); ok; ok = s.NextMember() {
		if string(s.Key()) != "columns" {
			s.Skip()
			continue
		}
		var names [][]byte
		eachName(&s, func(name []byte) { names = append(names, bytes.Clone(name)) })
		return ofColumns(names)
	}
	return 0
}

// eachName gives the names of a list of columns.
func eachName(s *jsonscan.Scanner, use func([]byte)) {
	for ok := s.Array(); ok; ok = s.NextElement() {
		if s.Kind() != '{' {
			s.Skip()
			continue
		}
		for ok := s.Object(); ok; ok = s.NextMember() {
			switch string(s.Key()) {
			case "name", "ColumnName":
				use(s.Text())
			default:
				s.Skip()
			}
		}
	}
}

// Records implements timeline.Source. What names the columns is in every
// record's Group.
func (Source) Records(ctx context.Context, r io.Reader) iter.Seq2[timeline.Record, error] {
	return func(yield func(timeline.Record, error) bool) {
		head := make([]byte, 512)
		n, err := io.ReadFull(r, head)
		if err == nil {
			r = io.MultiReader(bytes.NewReader(head), r)
		} else {
			r = io.MultiReader(bytes.NewReader(head[:n]), delimited.Failing(err))
		}
		if first := trimmed(head[:n]); len(first) > 0 && first[0] == '{' {
			framing.JSON{Members: []string{"tables"}, Inner: []string{"rows"}}.Records(ctx, r)(yield)
			return
		}
		for rec, err := range delimited.CSV(ctx, r, false) {
			if err == nil && rec.Kind != delimited.Header {
				rec.Kind = commaRow
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// NewParser implements timeline.Source.
func (Source) NewParser() timeline.Parser { return &parser{azure: azure.Source{}.NewParser()} }
