// Package lex reads JSON piece by piece, without a copy and without a tree.
package lex

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// Lexer reads JSON. Its methods move Pos behind what they read; false means that the text is no JSON and Broken says why.
type Lexer struct {
	Data   []byte
	Pos    int
	Broken string
	// Loose lets bytes that are no UTF-8 and halves of surrogate pairs pass, as many parsers do.
	Loose bool
}

// Fail says what is wrong at Pos.
func (l *Lexer) Fail(why string) bool {
	if l.Broken == "" {
		l.Broken = why
	}
	return false
}

// Peek skips white space and returns the next byte, 0 at the end.
func (l *Lexer) Peek() byte {
	if l.Pos < len(l.Data) && l.Data[l.Pos] > ' ' {
		return l.Data[l.Pos]
	}
	return l.space()
}

// space is Peek where there may be white space.
func (l *Lexer) space() byte {
	for l.Pos < len(l.Data) {
		switch c := l.Data[l.Pos]; c {
		case ' ', '\n', '\t', '\r':
			l.Pos++
		default:
			return c
		}
	}
	return 0
}

// Next reports whether another element of an object or array follows, after the first.
func (l *Lexer) Next(end byte) (more, ok bool) {
	switch l.Peek() {
	case end:
		l.Pos++
		return false, true
	case ',':
		l.Pos++
		return true, true
	}
	return false, l.Fail("want a comma or the end of the object or array")
}

// End reports whether nothing but white space is left.
func (l *Lexer) End() bool {
	l.Peek()
	return l.Pos == len(l.Data) || l.Fail("there are bytes after the value")
}

// Key reads the name of a member and its colon.
func (l *Lexer) Key() (raw []byte, escaped, ok bool) {
	if l.Peek() != '"' {
		return nil, false, l.Fail("want the name of a member in quotes")
	}
	if raw, escaped, ok = l.Text(); !ok {
		return nil, false, false
	}
	if l.Peek() != ':' {
		return nil, false, l.Fail("want a colon after the name")
	}
	l.Pos++
	return raw, escaped, true
}

// Text reads a string and returns what stands between its quotes, as it stands there.
func (l *Lexer) Text() (raw []byte, escaped, ok bool) {
	b, i := l.Data, l.Pos+1
	start, high := i, uint64(0)
	for {
		for len(b)-i >= 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			high |= w
			if stop := special(w); stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			l.Pos = i
			return nil, false, l.Fail("the text ends within a string")
		}
		switch c := b[i]; {
		case c == '"':
			raw = b[start:i]
			if high&beyondASCII != 0 && !l.Loose && !l.utf8(start, i) {
				return nil, false, false
			}
			l.Pos = i + 1
			return raw, escaped, true
		case c == '\\':
			l.Pos = i
			if !l.escape() {
				return nil, false, false
			}
			i, escaped = l.Pos, true
		case c < ' ':
			l.Pos = i
			return nil, false, l.Fail("control character in a string")
		default:
			high |= uint64(c)
			i++
		}
	}
}

const eachByte, beyondASCII = 0x0101010101010101, 0x8080808080808080

// special marks the bytes of w that end a run of plain text: quote, backslash, control character. The lowest mark is exact; a
// borrow may set others above it.
func special(w uint64) uint64 {
	quote, slash := w^(eachByte*'"'), w^(eachByte*'\\')
	return ((quote-eachByte)&^quote | (slash-eachByte)&^slash | (w-eachByte*' ')&^w) & beyondASCII
}

// utf8 reports whether the text from start to end is UTF-8.
func (l *Lexer) utf8(start, end int) bool {
	for i := start; i < end; {
		r, size := utf8.DecodeRune(l.Data[i:end])
		if r == utf8.RuneError && size == 1 {
			l.Pos = i
			return l.Fail("it is not UTF-8")
		}
		i += size
	}
	return true
}

// escape reads an escape, both halves of a surrogate pair included.
func (l *Lexer) escape() bool {
	b, i := l.Data, l.Pos
	if i+1 >= len(b) {
		return l.Fail("the text ends within a string")
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		l.Pos += 2
		return true
	case 'u':
	default:
		return l.Fail("unknown escape in a string")
	}
	r := hex4(b, i+2)
	switch {
	case r < 0:
		return l.Fail("want four hexadecimal digits after \\u")
	case r < 0xd800 || r > 0xdfff:
		l.Pos += 6
		return true
	}
	if r < 0xdc00 && i+7 < len(b) && b[i+6] == '\\' && b[i+7] == 'u' {
		if low := hex4(b, i+8); low >= 0xdc00 && low <= 0xdfff {
			l.Pos += 12
			return true
		}
	}
	if l.Loose {
		l.Pos += 6
		return true
	}
	return l.Fail("half of a surrogate pair in a string")
}

// hex4 returns the value of the four hexadecimal digits at b[i], or -1.
func hex4(b []byte, i int) int {
	if i+4 > len(b) {
		return -1
	}
	n := 0
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return -1
		}
	}
	return n
}

// Literal reads a word.
func (l *Lexer) Literal(word string) bool {
	if len(l.Data)-l.Pos < len(word) || string(l.Data[l.Pos:l.Pos+len(word)]) != word {
		return l.Fail("want a value")
	}
	l.Pos += len(word)
	return true
}

// Number reads a number. whole tells that it is written without a fraction and an exponent.
func (l *Lexer) Number() (text []byte, whole, ok bool) {
	b, start := l.Data, l.Pos
	i := start
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	i = Digits(b, i)
	if i == first || b[first] == '0' && i > first+1 {
		l.Pos = first
		return nil, false, l.Fail("want a value")
	}
	whole = true
	if i < len(b) && b[i] == '.' {
		whole = false
		if first, i = i+1, Digits(b, i+1); i == first {
			l.Pos = i
			return nil, false, l.Fail("want digits after the decimal point")
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		whole = false
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if first, i = i, Digits(b, i); i == first {
			l.Pos = i
			return nil, false, l.Fail("want digits in the exponent")
		}
	}
	l.Pos = i
	return b[start:i], whole, true
}

// Digits returns the index after the digits at b[i].
func Digits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
