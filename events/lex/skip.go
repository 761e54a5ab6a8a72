package lex

// Skip reads the next value, whatever it is, nested at most depth.
func (l *Lexer) Skip(depth int) bool {
	var ok bool
	switch l.Peek() {
	case '{':
		return l.inside('}', depth)
	case '[':
		return l.inside(']', depth)
	case '"':
		_, _, ok = l.Text()
	case 't':
		ok = l.Literal("true")
	case 'f':
		ok = l.Literal("false")
	case 'n':
		ok = l.Literal("null")
	default:
		_, _, ok = l.Number()
	}
	return ok
}

// inside reads an object or an array up to its end.
func (l *Lexer) inside(end byte, depth int) bool {
	if depth == 0 {
		return l.Fail("it nests too deep")
	}
	l.Pos++
	if l.Peek() == end {
		l.Pos++
		return true
	}
	for more := true; more; {
		if end == '}' {
			if _, _, ok := l.Key(); !ok {
				return false
			}
		}
		if !l.Skip(depth - 1) {
			return false
		}
		var ok bool
		if more, ok = l.Next(end); !ok {
			return false
		}
	}
	return true
}
