package main

import "testing"

func TestLate(t *testing.T) {
	const head = "fuzz: elapsed: 10s, execs: 19784 (1167/sec), new interesting: 4 (total: 10)\n--- FAIL: FuzzCursor (10.32s)\n"
	for out, want := range map[string]bool{
		head + "    context deadline exceeded\nFAIL\nexit status 1\nFAIL\tamber/timeline/fetch\t10.337s\n":                                                  true,
		head + "    fuzzing process hung or terminated unexpectedly: context deadline exceeded\nFAIL\n":                                                     false,
		head + "    --- FAIL: FuzzCursor (0.00s)\n        context deadline exceeded\n    \n    Failing input written to testdata/fuzz/FuzzCursor/1\nFAIL\n": false,
		"ok  \tamber/timeline/fetch\t10.337s\n": false,
	} {
		if late(out) != want {
			t.Errorf("late is %v of %q", !want, out)
		}
	}
}
