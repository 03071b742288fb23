package fields

import "amber/timeline/detect"

// Slow reads a field from the record.
func (v *View) Slow(dst []detect.Value, path string) []detect.Value {
	if !v.read {
		v.parse()
	}
	if v.form != jsonForm {
		return dst
	}
	return v.json(dst, path)
}
