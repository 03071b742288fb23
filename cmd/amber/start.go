package main

import "time"

// started is when this process began, as near as it can tell itself: the
// kernel's own record of it is exact to 10 ms only.
var started = time.Now()

// sinceStart is how many milliseconds after that t was.
func sinceStart(t time.Time) int64 { return t.Sub(started).Milliseconds() }
