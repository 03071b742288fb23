package record

import "errors"

// ErrFull is what a sink answers when the disk has no more room for this
// payload: the collector stops; the rest of the bundle may still have room.
var ErrFull = errors.New("no space left for this payload")
