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

// Paths gives each path that leads to a value of the record.
func (v *View) Paths() (paths []string) {
	v.Slow(nil, "")
	if v.form != jsonForm {
		return nil
	}
	d := &v.doc
	var below func(at int32, path string)
	below = func(at int32, path string) {
		paths = append(paths, path)
		d.enter(at)
		for j := d.nodes[at].first; j < d.nodes[at].last; j++ {
			if d.nodes[at].is == '{' {
				below(j, path+"."+string(d.nodes[j].key))
			} else {
				below(j, path)
			}
		}
	}
	d.enter(d.root)
	for j := d.nodes[d.root].first; j < d.nodes[d.root].last; j++ {
		below(j, string(d.nodes[j].key))
	}
	return paths
}
