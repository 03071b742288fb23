package tetragon

import "bytes"

// isCamel knows a record whose names are as protobuf's JSON has them of itself,
// processExec, which is what grpcurl and other clients of the gRPC service print;
// tetra and the agent write process_exec. That a label's name has such a record
// taken for one does no harm: names in small letters stay what they are.
func isCamel(record []byte) bool {
	return bytes.Contains(record, []byte(`"execId"`)) || bytes.Contains(record, []byte(`"nodeName"`))
}

// snake appends a record with its names as the agent writes them. Those of
// labels are the user's and stay.
func snake(to, record []byte) []byte {
	depth, labels := 0, 0 // labels is how deep the object of labels is, 0 outside
	for i := 0; i < len(record); {
		c := record[i]
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth == labels {
				labels = 0
			}
			depth--
		}
		if c != '"' {
			to = append(to, c)
			i++
			continue
		}
		end := stringEnd(record, i+1)
		text := record[i:end]
		if i = end; labels > 0 || !isName(record, end) {
			to = append(to, text...)
			continue
		}
		to = snakeName(to, text)
		if isLabels(text) {
			labels = depth + 1
		}
	}
	return to
}

// stringEnd is behind the quote that ends a string.
func stringEnd(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// isName tells whether a colon stands behind.
func isName(b []byte, i int) bool {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i < len(b) && b[i] == ':'
}

func isLabels(name []byte) bool {
	switch string(name) {
	case `"podLabels"`, `"pod_labels"`, `"nodeLabels"`, `"node_labels"`:
		return true
	}
	return false
}

func snakeName(to, name []byte) []byte {
	for _, c := range name {
		if c >= 'A' && c <= 'Z' {
			to = append(to, '_')
			c |= 0x20
		}
		to = append(to, c)
	}
	return to
}
