// Package findings keeps what rules found of a timeline, beside it.
//
//	detect/GENERATION.json   the state: sets of rules, what each has looked at, its files
//	detect/NAME.hits         what single rules matched, or correlations found (package hits)
//	detect/NAME.rules        what is known of a set's rules
//
// A Detector looks at events while a timeline is built, or while its raw files
// are read again. What it finds is written before the build's commit and says of
// which raw files it is: a state counts when the timeline holds those files, and
// of several that count the latest. So a build that is killed leaves the findings
// that were there before, or has its own, and never both.
//
// A hit is a rule and a row. Rows keep their ids in whichever order and files
// their events come, so the hits, and what correlations make of them in the order
// of time, are the same too.
package findings
