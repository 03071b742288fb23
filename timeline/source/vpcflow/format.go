package vpcflow

import (
	"bytes"
	"encoding/json"
)

// Format is the source of flows whose file does not name their fields: of a
// format of one's own, as AWS writes it, "${version} ${srcaddr} …", alone or as
// LogFormat in an answer of DescribeFlowLogs, of which the first one counts. False
// is that the text is none.
func Format(text []byte) (Source, bool) {
	text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))
	if len(text) > 0 && text[0] == '{' {
		text = described(text)
	}
	text = bytes.Trim(text, "'\" \t\r\n")
	if !bytes.HasPrefix(text, []byte("${")) {
		return Source{}, false
	}
	var names []byte
	for field := range bytes.FieldsSeq(text) {
		name, opened := bytes.CutPrefix(field, []byte("${"))
		name, closed := bytes.CutSuffix(name, []byte("}"))
		if !opened || !closed || !isNames(name) {
			return Source{}, false
		}
		names = append(append(names, name...), ' ')
	}
	names = bytes.TrimSpace(names)
	return Source{names}, IsHeader(names)
}

// described is the first format in an answer of DescribeFlowLogs.
func described(text []byte) []byte {
	var answer struct {
		FlowLogs  []struct{ LogFormat string }
		LogFormat string
	}
	if json.Unmarshal(text, &answer) != nil {
		return nil
	}
	for _, l := range answer.FlowLogs {
		if l.LogFormat != "" {
			return []byte(l.LogFormat)
		}
	}
	return []byte(answer.LogFormat)
}
