package timestamp

import (
	"encoding/asn1"
	"errors"
)

// maxDepth is more than any token needs; what is nested deeper is refused.
const maxDepth = 32

// checkDER refuses lengths that are indefinite or not minimal, and elements that
// nest too deep: the decoder behind reads BER, and trusts its input.
func checkDER(data []byte, depth int) error {
	if depth > maxDepth {
		return errors.New("it nests too deep")
	}
	for len(data) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(data, &v)
		if err != nil {
			return err
		}
		if v.IsCompound {
			if err := checkDER(v.Bytes, depth+1); err != nil {
				return err
			}
		}
		data = rest
	}
	return nil
}
