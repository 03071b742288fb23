package store

import "amber/timeline"

// The leaves of a segment's schema, in the order in which they are written.
const (
	leafRowID = iota
	leafTime
	leafNanos
	leafSource
	leafEnd
	leafEndNanos
	leafStart
	leafStartNanos
	leafField // the first of timeline.NumFields
	leafExtra = leafField + int(timeline.NumFields) - 1 + iota - leafField
	leafExtraValue
	leafFolded
	leafParts
	leafRawFile
	leafRawOffset
	leafRawLength
	leafNamed // the first of numNamed
	numLeaves = leafNamed + numNamed
)

// Physical types, encodings and codecs as Parquet numbers them.
const (
	typeInt32 = 1
	typeInt64 = 2
	typeBytes = 6
	typeFixed = 7

	encPlain   = 0
	encRLE     = 3
	encDelta   = 5
	encLengths = 6 // DELTA_LENGTH_BYTE_ARRAY
	encDict    = 8

	codecNone = 0
	codecZstd = 6
)

// shape is how often a leaf has values in a row.
type shape uint8

const (
	required shape = iota
	optional
	repeated // inside of a list or a map: definition levels to 2, repetition to 1
)

type leafInfo struct {
	path  []string
	typ   int32
	shape shape
}

// Names of the columns that are no fields of an event's own.
const (
	nameRowID  = "row_id"
	nameTime   = "@timestamp"
	nameNanos  = "nanos"
	nameSource = "source_time"
	nameEnd    = "event.end"
	nameStart  = "process.start"
	nameExtra  = "extra"
	nameFolded = "folded"
	nameParts  = "parts"
	nameRaw    = "raw"
)

func infoOf(leaf int) leafInfo {
	switch leaf {
	case leafRowID:
		return leafInfo{[]string{nameRowID}, typeFixed, required}
	case leafTime:
		return leafInfo{[]string{nameTime}, typeInt64, required}
	case leafNanos:
		return leafInfo{[]string{nameNanos}, typeInt32, required}
	case leafSource:
		return leafInfo{[]string{nameSource}, typeInt64, optional}
	case leafEnd:
		return leafInfo{[]string{nameEnd}, typeInt64, optional}
	case leafEndNanos:
		return leafInfo{[]string{nameEnd + ".nanos"}, typeInt32, optional}
	case leafStart:
		return leafInfo{[]string{nameStart}, typeInt64, optional}
	case leafStartNanos:
		return leafInfo{[]string{nameStart + ".nanos"}, typeInt32, optional}
	case leafExtra:
		return leafInfo{[]string{nameExtra, "key_value", "key"}, typeBytes, repeated}
	case leafExtraValue:
		return leafInfo{[]string{nameExtra, "key_value", "value"}, typeBytes, repeated}
	case leafFolded:
		return leafInfo{[]string{nameFolded}, typeInt64, required}
	case leafParts:
		return leafInfo{[]string{nameParts}, typeInt64, required}
	case leafRawFile:
		return leafInfo{[]string{nameRaw, "list", "element", "file"}, typeInt32, repeated}
	case leafRawOffset:
		return leafInfo{[]string{nameRaw, "list", "element", "offset"}, typeInt64, repeated}
	case leafRawLength:
		return leafInfo{[]string{nameRaw, "list", "element", "length"}, typeInt64, repeated}
	}
	if leaf >= leafNamed {
		return leafInfo{[]string{named[leaf-leafNamed]}, typeBytes, optional}
	}
	return infoOfField(timeline.Field(leaf - leafField))
}

func infoOfField(f timeline.Field) leafInfo {
	switch f.Kind() {
	case timeline.Keywords:
		return leafInfo{[]string{f.Name(), "list", "element"}, typeBytes, repeated}
	case timeline.Long:
		return leafInfo{[]string{f.Name()}, typeInt64, optional}
	}
	return leafInfo{[]string{f.Name()}, typeBytes, optional}
}

// maxLevels are the definition and repetition levels that a value has.
func (s shape) maxLevels() (def, rep int) { return int(s), int(s) / 2 }
