// Package evidence is the bundle format: an OCI image layout that holds one
// acquisition, written once, sealed, and verified years later. See
// docs/bundle-format.md.
package evidence

import "amber/evidence/record"

// Media types and annotations of the format, version 1.
const (
	FormatVersion = "1"

	ArtifactType    = "application/vnd.amber.evidence.v1"
	TypePayload     = "application/vnd.amber.evidence.payload.v1.tar+zstd.segment"
	TypeMembers     = "application/vnd.amber.evidence.members.v1.jsonl+zstd"
	TypePaths       = "application/vnd.amber.evidence.paths.v1"
	TypeFrames      = "application/vnd.amber.evidence.frames.v1"
	TypeAcquisition = "application/vnd.amber.evidence.acquisition.v1+json"
	TypeKey         = "application/vnd.amber.evidence.key.v1+age"

	// Encrypted ends the media type of a blob that is an age file of what the
	// type says.
	Encrypted = "+age"

	AnnotationFormat  = "vnd.amber.format"
	AnnotationID      = "vnd.amber.evidence.id"
	AnnotationCount   = "vnd.amber.members.count"
	AnnotationRoot    = "vnd.amber.members.root" // RFC 6962 Merkle tree hash over the member lines, hex
	AnnotationPayload = "vnd.amber.payload"
	AnnotationOrdinal = "vnd.amber.ordinal"
	AnnotationOffset  = "vnd.amber.plain.offset"
	AnnotationSize    = "vnd.amber.plain.size"
	AnnotationFrames  = "vnd.amber.frames" // index of the blob's first digest in the frames blob, and how many
	AnnotationEntries = "vnd.amber.entries"

	AnnotationEncryption  = "vnd.amber.encryption"             // encrypt.Scheme, in the manifest
	AnnotationRecipient   = "vnd.amber.encryption.recipient"   // the bundle's public key, in the manifest; the custodian, of a key
	AnnotationPostQuantum = "vnd.amber.encryption.postquantum" // whether it keeps the secret from a quantum computer, in words
	AnnotationKey         = "vnd.amber.encryption.key"         // of a key: its other name, "key-1.age"
)

// Namespace is the SSHSIG namespace of a seal.
const Namespace = "amber"

// ErrFull is record.ErrFull.
var ErrFull = record.ErrFull

// Sizes of the format, in bytes unless said otherwise.
const (
	payloadFrame   = 1 << 20   // plain bytes of a payload's frame, at most
	membersFrame   = 128 << 10 // plain bytes of a members frame, at most
	pathsChunk     = 64 << 10  // bytes of the paths blob that one digest covers
	segmentSize    = 64 << 20  // stored bytes of a segment, at most
	bigSegmentSize = 512 << 20 // the same, from segment number bigSegmentFrom on
	bigSegmentFrom = 1024
	segmentFrames  = 4096    // frames of a segment, at most
	hashHoles      = 1 << 30 // holes above which only the extents are hashed
)

// State is what a bundle is.
type State string

const (
	Sealed     State = "sealed"
	Unsigned   State = "unsigned"
	Incomplete State = "incomplete"
)
