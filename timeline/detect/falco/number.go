package falco

import (
	"bytes"
	"fmt"
	"strconv"
)

// numeric compares numbers: 64 bit integers where both are, else floating point.
func numeric(op string, values []literal) (func([]byte) bool, error) {
	wanted := make([]quantity, 0, len(values))
	for _, v := range values {
		q, ok := parseQuantity([]byte(v.text))
		if !ok {
			return nil, fmt.Errorf("%q is no number", v.text)
		}
		wanted = append(wanted, q)
	}
	return func(t []byte) bool {
		have, ok := parseQuantity(t)
		if !ok {
			return false
		}
		for _, w := range wanted {
			if ordered(op, have.compare(w)) {
				return true
			}
		}
		return false
	}, nil
}

// ordered reports whether an operator holds of an order; != is turned round by
// its caller.
func ordered(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	}
	return order == 0
}

// quantity is a number.
type quantity struct {
	whole int64
	real  float64
	float bool
}

func (a quantity) compare(b quantity) int {
	switch {
	case a.float || b.float:
		return sign(a.real - b.real)
	case a.whole < b.whole:
		return -1
	case a.whole > b.whole:
		return 1
	}
	return 0
}

func sign(f float64) int {
	switch {
	case f < 0:
		return -1
	case f > 0:
		return 1
	}
	return 0
}

// parseQuantity reads a decimal or a hexadecimal number (0x1f).
func parseQuantity(t []byte) (quantity, bool) {
	if len(t) == 0 || len(t) > 40 {
		return quantity{}, false
	}
	if bytes.HasPrefix(t, []byte("0x")) || bytes.HasPrefix(t, []byte("0X")) {
		n, err := strconv.ParseUint(string(t[2:]), 16, 63)
		return quantity{whole: int64(n), real: float64(n)}, err == nil
	}
	if n, ok := parseWhole(t); ok {
		return quantity{whole: n, real: float64(n)}, true
	}
	f, err := strconv.ParseFloat(string(t), 64)
	return quantity{real: f, float: true}, err == nil && f == f
}

// parseWhole is strconv.ParseInt without an allocation for what is none.
func parseWhole(t []byte) (n int64, ok bool) {
	negative := t[0] == '-'
	if negative || t[0] == '+' {
		t = t[1:]
	}
	if len(t) == 0 || len(t) > 18 {
		return 0, false
	}
	for _, c := range t {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if negative {
		n = -n
	}
	return n, true
}
