package sigma

// expr is a condition before it is bound to a dataset: the items of selections,
// put together.
type expr interface{ isExpr() }

type (
	andExpr []expr
	orExpr  []expr
	notExpr struct{ of expr }
)

// item is one thing that a selection asks of an event.
type item struct {
	field string // empty for keywords
	line  int
	kind  itemKind
	tests []test
	all   bool // each test is passed by some value, else any by any
	null  bool // the field may be missing, or null
	must  bool // of exists
	ref   reference
}

type itemKind uint8

const (
	asksValue itemKind = iota
	asksExistence
	asksOther   // the value of another field
	asksKeyword // anywhere in the record
)

// reference is how a field's value must be that of another field.
type reference struct {
	field       string
	cased       bool
	begin, ends bool // it begins with it, ends with it; both: contains it
}

func (andExpr) isExpr() {}
func (orExpr) isExpr()  {}
func (notExpr) isExpr() {}
func (*item) isExpr()   {}
