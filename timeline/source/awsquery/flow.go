package awsquery

import (
	"strconv"

	"amber/timeline"
)

// connection makes of a row of a flow log what its file has: the names of the
// fields, and the line. It tells whether the row has a time of the flow's own.
func (p *parser) connection() (timed bool) {
	names, line := p.group[:0], p.data[:0]
	for _, c := range p.cells {
		mark := len(names)
		if names = kebab(names, c.name); len(names) == mark {
			continue
		}
		timed = timed || string(names[mark:]) == "start" || string(names[mark:]) == "end"
		names = append(names, ' ')
		for _, b := range c.value {
			if b <= ' ' || b == '"' {
				b = '_'
			}
			line = append(line, b)
		}
		line = append(line, ' ')
	}
	if !timed && p.at != timeline.NoTime {
		names = append(names, "start "...)
		line = append(strconv.AppendInt(line, p.at.Micros/1e6, 10), ' ')
	}
	p.group, p.data = names[:max(len(names)-1, 0)], line[:max(len(line)-1, 0)]
	return timed
}

// kebab appends a field's name as AWS writes it in a format: srcAddr, as Insights
// has it, is srcaddr, and flowDirection flow-direction. A name with anything else
// in it is of a sum, and none.
func kebab(to, name []byte) []byte {
	switch string(name) {
	case "srcAddr", "dstAddr", "srcPort", "dstPort":
		return append(append(to, name[:3]...), name[3]|0x20, name[4], name[5], name[6])
	case "startTime", "starttime":
		return append(to, "start"...)
	case "endTime", "endtime":
		return append(to, "end"...)
	case "pktSrcAddr", "pktDstAddr":
		return append(append(append(to, "pkt-"...), name[3]|0x20), name[4], name[5], 'a', 'd', 'd', 'r')
	}
	mark := len(to)
	for i, c := range name {
		switch {
		case c >= 'A' && c <= 'Z':
			if i > 0 {
				to = append(to, '-')
			}
			to = append(to, c|0x20)
		case c == '_', c == '-', c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			to = append(to, c)
		default:
			return to[:mark]
		}
	}
	return to
}
