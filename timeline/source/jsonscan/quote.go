package jsonscan

// Quoted appends text as JSON has it.
func Quoted(to, v []byte) []byte {
	const digits = "0123456789abcdef"
	to = append(to, '"')
	from := 0
	for i, c := range v {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		to = append(to, v[from:i]...)
		from = i + 1
		if c < 0x20 {
			to = append(to, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		} else {
			to = append(to, '\\', c)
		}
	}
	return append(append(to, v[from:]...), '"')
}
