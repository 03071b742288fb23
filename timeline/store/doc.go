// Package store keeps a built timeline as a directory of zstd Parquet segments
// that any Parquet reader opens as they are, and answers questions about it.
//
//	manifest.json          names the segments and raw files of the current generation
//	segments/NAME.parquet  up to a million rows, sorted by (time, row id)
//	index/NAME.idx         where its pages lie, trigrams, seeds of ids, a filter of row ids
//
// A segment is one sorted run of one goroutine of the builder; segments may
// overlap in time and readers merge them. Nothing is visible before the
// manifest is swapped by a rename.
package store
