package store

// room gives s space for n more. It doubles, where append adds a quarter: what
// is gathered of a run is large, and each move of it touches fresh memory.
func room[T any](s []T, n int) []T {
	if len(s)+n <= cap(s) {
		return s
	}
	t := make([]T, len(s), max(2*cap(s), len(s)+n, 64))
	copy(t, s)
	return t
}

// push is append with room.
func push[T any](s []T, v T) []T { return append(room(s, 1), v) }
