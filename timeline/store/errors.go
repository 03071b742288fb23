package store

import (
	"errors"
	"fmt"
)

// ErrCorrupt is a file of the store that is not as it was written.
var ErrCorrupt = errors.New("the store is damaged")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}
