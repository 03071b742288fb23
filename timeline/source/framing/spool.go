package framing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// Spool writes what a reader gives to a file without a name, for formats whose
// beginning cannot be read without their end. Whoever asked closes it.
func Spool(ctx context.Context, r io.Reader) (f *os.File, size int64, err error) {
	f, err = os.CreateTemp("", "amber-spool-*")
	if err != nil {
		return nil, 0, fmt.Errorf("making room for a file that is read from its end: %w", err)
	}
	err = os.Remove(f.Name())
	buf := make([]byte, 256<<10)
	for err == nil {
		var n int
		n, err = r.Read(buf)
		if n > 0 {
			if _, wrong := f.Write(buf[:n]); wrong != nil {
				err = fmt.Errorf("copying a file that is read from its end: %w", wrong)
				break
			}
			size += int64(n)
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
	}
	if errors.Is(err, io.EOF) {
		return f, size, nil
	}
	return nil, 0, errors.Join(err, f.Close())
}
