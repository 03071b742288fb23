package eventhub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// shape is a type of an Avro schema (its specification, version 1.12), as far as
// values have to be passed over.
type shape struct {
	kind  string // a primitive's name, or record, enum, array, map, union, fixed
	size  int    // of fixed
	parts []*shape
	names []string // of a record's fields
}

// Bounds of a schema and of the values that follow it.
const (
	maxShapes = 1_000
	maxDepth  = 64
)

var errSchema = errors.New("no schema of Avro that is read here")

// schema reads a schema's JSON.
type schema struct {
	named map[string]*shape
	n     int
}

func parseSchema(text []byte) (*shape, error) {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("the schema: %w", err)
	}
	s := schema{named: map[string]*shape{}}
	return s.shape(v, 0)
}

func (s *schema) shape(v any, depth int) (*shape, error) {
	if s.n++; s.n > maxShapes || depth > maxDepth {
		return nil, errSchema
	}
	switch v := v.(type) {
	case string:
		if named := s.named[v]; named != nil {
			return named, nil
		}
		return &shape{kind: v}, nil
	case []any:
		out := &shape{kind: "union"}
		return out, s.parts(out, v, depth)
	case map[string]any:
		return s.complex(v, depth)
	}
	return nil, errSchema
}

func (s *schema) parts(out *shape, list []any, depth int) error {
	for _, one := range list {
		part, err := s.shape(one, depth+1)
		if err != nil {
			return err
		}
		out.parts = append(out.parts, part)
	}
	return nil
}

func (s *schema) complex(v map[string]any, depth int) (*shape, error) {
	kind, ok := v["type"].(string)
	if !ok {
		return s.shape(v["type"], depth+1)
	}
	out := &shape{kind: kind}
	if name, ok := v["name"].(string); ok {
		s.named[name] = out
		if space, ok := v["namespace"].(string); ok {
			s.named[space+"."+name] = out
		}
	}
	switch kind {
	case "record", "error":
		out.kind = "record"
		fields, _ := v["fields"].([]any)
		var types []any
		for _, f := range fields {
			field, _ := f.(map[string]any)
			name, _ := field["name"].(string)
			out.names = append(out.names, name)
			types = append(types, field["type"])
		}
		return out, s.parts(out, types, depth)
	case "array":
		return out, s.parts(out, []any{v["items"]}, depth)
	case "map":
		return out, s.parts(out, []any{v["values"]}, depth)
	case "fixed":
		size, ok := v["size"].(float64)
		if out.size = int(size); !ok || size < 0 || size > 1<<20 {
			return nil, errSchema
		}
	}
	return out, nil
}

// values reads values that follow a schema.
type values struct {
	b    []byte
	pos  int
	left int // values that may still come: those of no bytes could be without end
}

var errValue = errors.New("a value does not follow the schema, or is cut off")

// long reads a zigzag number.
func (d *values) long() (int64, error) {
	var n uint64
	for shift := 0; shift < 64; shift += 7 {
		if d.pos >= len(d.b) {
			return 0, errValue
		}
		c := d.b[d.pos]
		d.pos++
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(n>>1) ^ -int64(n&1), nil
		}
	}
	return 0, errValue
}

// take gives bytes behind their length.
func (d *values) take() ([]byte, error) {
	n, err := d.long()
	if err != nil || n < 0 || n > int64(len(d.b)-d.pos) {
		return nil, errValue
	}
	d.pos += int(n)
	return d.b[d.pos-int(n) : d.pos : d.pos], nil
}

func (d *values) skipBytes(n int) error {
	if n > len(d.b)-d.pos {
		return errValue
	}
	d.pos += n
	return nil
}

// skip passes a value over.
func (d *values) skip(s *shape, depth int) (err error) {
	if d.left--; d.left < 0 || depth > maxDepth {
		return errValue
	}
	switch s.kind {
	case "null":
		return nil
	case "boolean":
		return d.skipBytes(1)
	case "int", "long", "enum":
		_, err = d.long()
	case "float":
		return d.skipBytes(4)
	case "double":
		return d.skipBytes(8)
	case "bytes", "string":
		_, err = d.take()
	case "fixed":
		return d.skipBytes(s.size)
	case "union":
		if s, err = d.branch(s); err == nil {
			err = d.skip(s, depth+1)
		}
	case "record":
		for _, part := range s.parts {
			if err = d.skip(part, depth+1); err != nil {
				return err
			}
		}
	case "array", "map":
		return d.blocks(s, depth)
	default:
		return errSchema
	}
	return err
}

func (d *values) branch(s *shape) (*shape, error) {
	n, err := d.long()
	if err != nil || n < 0 || n >= int64(len(s.parts)) {
		return nil, errValue
	}
	return s.parts[n], nil
}

// blocks passes over the blocks of an array or a map.
func (d *values) blocks(s *shape, depth int) error {
	for {
		n, err := d.long()
		switch {
		case err != nil:
			return err
		case n == 0:
			return nil
		case n < 0: // its size in bytes is behind it
			size, err := d.long()
			if err != nil || size < 0 || size > int64(len(d.b)) {
				return errValue
			}
			if err := d.skipBytes(int(size)); err != nil {
				return err
			}
			continue
		}
		for range n {
			if s.kind == "map" {
				if _, err := d.take(); err != nil {
					return err
				}
			}
			if err := d.skip(s.parts[0], depth+1); err != nil {
				return err
			}
		}
	}
}

// scalar reads a value that is text or a number, also of a union; nil of any
// other, which is passed over.
func (d *values) scalar(s *shape) ([]byte, error) {
	var err error
	for s.kind == "union" {
		if s, err = d.branch(s); err != nil {
			return nil, err
		}
	}
	switch s.kind {
	case "bytes", "string":
		return d.take()
	case "int", "long":
		n, err := d.long()
		return fmt.Append(nil, n), err
	}
	return nil, d.skip(s, 0)
}

// is tells whether a record has these fields.
func (s *shape) is(names ...string) bool {
	if s.kind != "record" {
		return false
	}
	all := []byte{0}
	for _, name := range s.names {
		all = append(append(all, name...), 0)
	}
	for _, name := range names {
		if !bytes.Contains(all, append(append([]byte{0}, name...), 0)) {
			return false
		}
	}
	return true
}
