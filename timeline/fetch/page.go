package fetch

import (
	"encoding/json"
	"fmt"
	"io"
)

// At reads the state that a Step is given into its own form. That of the first
// call leaves it as it is.
func At(state json.RawMessage, into any) error {
	if state == nil {
		return nil
	}
	if err := json.Unmarshal(state, into); err != nil {
		return fmt.Errorf("reading where the fetch stands: %w", err)
	}
	return nil
}

// ReadAll reads an answer that has at most so many bytes.
func ReadAll(call string, answer io.Reader, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(answer, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s: the answer has more than %d bytes", call, most)
	}
	return data, err
}

// ReadPage reads what matters of a page. asked is the token that it was asked
// for by, next points into page to the one of the page that follows: one that
// leads to itself is an error.
func ReadPage(call string, data []byte, page any, asked string, next *string) error {
	if err := json.Unmarshal(data, page); err != nil {
		return fmt.Errorf("%s: the answer cannot be read: %w", call, err)
	}
	if asked != "" && *next == asked {
		return fmt.Errorf("%s: the answer leads to itself", call)
	}
	return nil
}

// FolderFor is where an answer is kept: one without records is no source, and
// proves that nothing was there.
func FolderFor(records int64) string {
	if records == 0 {
		return Asked
	}
	return Raw
}
