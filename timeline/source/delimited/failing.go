package delimited

import "io"

// Failing gives an error that was met early, when the first bytes were looked at;
// the end in the middle of those is the end.
func Failing(err error) io.Reader { return failing{err} }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == io.ErrUnexpectedEOF { //nolint:errorlint // io.ReadFull's own
		return 0, io.EOF
	}
	return 0, f.err
}
