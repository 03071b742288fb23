package falco

// node is a part of a condition.
type node struct {
	kind  nodeKind
	kids  []*node // of and, or; one of not
	name  string  // of a macro
	check *check
}

type nodeKind uint8

const (
	kindAnd nodeKind = iota
	kindOr
	kindNot
	kindMacro
	kindCheck
	kindTrue
	kindFalse
)

// check is one comparison.
type check struct {
	left   operand
	op     string
	values []literal // of the right side
	bare   string    // a list named without parentheses: "in shell_binaries"
	right  *operand  // the right side is a field: "val(proc.pname)"
}

// operand is a field, with an argument in brackets or without, and what is done
// to its values before they are compared, the innermost first.
type operand struct {
	field  string
	arg    string
	hasArg bool
	funcs  []string
}

// name is the operand's field as a rule writes it.
func (o operand) name() string {
	if !o.hasArg {
		return o.field
	}
	return o.field + "[" + o.arg + "]"
}

// literal is a value. Only one without quotes can be the name of a list.
type literal struct {
	text   string
	quoted bool
}

// size is how many nodes a tree has.
func (n *node) size() int {
	total := 1
	for _, k := range n.kids {
		total += k.size()
	}
	return total
}

// each calls f for every comparison.
func (n *node) each(f func(*check)) {
	if n.kind == kindCheck {
		f(n.check)
	}
	for _, k := range n.kids {
		k.each(f)
	}
}
