// Package bundle makes events of amber's own records: what a case's bundles
// hold, and its custody log.
//
// A bundle is a directory and no plain file, so it is no timeline.Source; what
// Open gives has the same parts. A record's Range counts the plain bytes of one
// of the bundle's streams (the members index, a payload; the record's Kind says
// which), and Locate turns it into ranges of blobs: each blob of a stream is a
// file of its own that stock zstd decompresses, named after its digest. A record
// that spans two blobs has a reference to each. The acquisition record is a blob
// that is not compressed.
//
//	the members index                  a file's times, misses
//	filesystem/drift.jsonl             the times of what the container changed, and how
//	process/processes.jsonl            process starts
//	network/…/{sockets,unlisted}.jsonl sockets, and when data last went through
//	network/…/conntrack.jsonl          flows
//	logs/…                             lines in the formats of CRI and of Docker's json-file
//	metadata/…                         the image's history, the container's life
//	the acquisition record             what was done to take the bundle
//
// Custody reads custody.jsonl, which is a plain file and an ordinary source.
// What the container's processes wrote is hostile: nothing here is longer or
// deeper than a bound, and none of its paths is opened.
// docs/event-schema/bundle.md has the mapping.
package bundle
