package sigma

import "amber/timeline/detect"

// RequiresOf implements detect.Requirer: in one dataset more is necessary than
// in all, such as the cloud that a cluster's log must be of.
func (m *matcher) RequiresOf(dataset string) []detect.Require {
	for _, p := range m.programs {
		if p.dataset == dataset {
			return distinct(append(necessary(p.node), p.there(p.node)...))
		}
	}
	return nil
}

// there are the fields that a node asks to be there, whatever they hold.
func (p *program) there(n node) (all []detect.Require) {
	switch n := n.(type) {
	case every:
		for _, c := range n {
			all = append(all, p.there(c)...)
		}
	case *exists:
		switch from := p.from[n.slot]; from.how {
		case fromColumn, fromRecord:
			all = append(all, detect.Require{Field: from.name, Column: from.how == fromColumn})
		}
	}
	return all
}
