package sigma

import "unsafe"

// view looks at a string as bytes that nobody writes to, str at bytes as a
// string that nobody keeps.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

func str(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
