package main

import "unsafe"

// addressOf is where memory lies.
func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(&b[0])) }
