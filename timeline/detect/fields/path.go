package fields

// naming says how the names of a path are told from a record's.
type naming bool

const (
	exact naming = false
	loose naming = true // as alike has it
)

// cut cuts a name off the beginning of a path.
func (n naming) cut(path string, key []byte) (rest string, ok bool) {
	if n == loose {
		return alike(path, key)
	}
	return under(path, key)
}

// under cuts a name off the beginning of a path.
func under(path string, key []byte) (rest string, ok bool) {
	n := len(key)
	if n == 0 || len(path) < n || len(path) > n && path[n] != '.' || path[:n] != string(key) {
		return "", false
	}
	if len(path) == n {
		return "", true
	}
	return path[n+1:], len(path) > n+1
}

// index reads the number that a path begins with.
func index(path string) (i int, rest string, ok bool) {
	n := 0
	for n < len(path) && n < 6 && path[n] >= '0' && path[n] <= '9' {
		i = i*10 + int(path[n]-'0')
		n++
	}
	switch {
	case n == 0:
		return -1, "", false
	case n == len(path):
		return i, "", true
	case path[n] == '.' && len(path) > n+1:
		return i, path[n+1:], true
	}
	return -1, "", false
}

// alike cuts a name off the beginning of a path, whatever their case and
// underscores.
func alike(path string, key []byte) (rest string, ok bool) {
	i := 0
	for _, c := range key {
		if c == '_' {
			continue
		}
		for i < len(path) && path[i] == '_' {
			i++
		}
		if i == len(path) || lower(path[i]) != lower(c) {
			return "", false
		}
		i++
	}
	switch {
	case i == 0:
		return "", false
	case i == len(path):
		return "", true
	case path[i] != '.' || i+1 == len(path):
		return "", false
	}
	return path[i+1:], true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c | 0x20
	}
	return c
}
