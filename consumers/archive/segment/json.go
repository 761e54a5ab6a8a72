package segment

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
)

// maxDepth is how deep data may nest before it stops being text: some engine's parser recurses.
const maxDepth = 256

// strictJSON reports whether b is one JSON value that every engine reads alike: RFC 8259 in valid UTF-8, escaped
// surrogates in pairs, nested at most maxDepth. encoding/json lets lone surrogates pass, DuckDB's parser does not.
func strictJSON(b []byte) bool {
	p := parser{b: b}
	return p.read()
}

// parser reads JSON. Its methods return the index after what they read at b[i], or -1.
type parser struct {
	b    []byte
	high uint64 // words of texts, one over the other

	// With keep the members of the outermost object are kept.
	keep bool
	kept []member
	name int // where the last name ended
}

// member is one of an object, as it is written: its name, in quotes, and its value.
type member struct{ name, value []byte }

// start makes p ready to read b.
func (p *parser) start(b []byte, keep bool) {
	*p = parser{b: b, keep: keep, kept: p.kept[:0]}
}

// read reports whether b is one value.
func (p *parser) read() bool {
	const beyondASCII = 0x8080808080808080
	i := p.value(p.space(0), maxDepth)
	return i >= 0 && p.space(i) == len(p.b) && (p.high&beyondASCII == 0 || utf8.Valid(p.b))
}

func (p *parser) space(i int) int {
	for i < len(p.b) && p.b[i] <= ' ' && (p.b[i] == ' ' || p.b[i] == '\n' || p.b[i] == '\t' || p.b[i] == '\r') {
		i++
	}
	return i
}

func (p *parser) value(i, depth int) int {
	if i >= len(p.b) || depth == 0 {
		return -1
	}
	switch p.b[i] {
	case '{':
		return p.members(i+1, '}', depth-1)
	case '[':
		return p.members(i+1, ']', depth-1)
	case '"':
		return p.text(i + 1)
	case 't':
		return literal(p.b, i, "true")
	case 'f':
		return literal(p.b, i, "false")
	case 'n':
		return literal(p.b, i, "null")
	}
	return number(p.b, i)
}

// members reads the rest of an object or an array.
func (p *parser) members(i int, end byte, depth int) int {
	if i = p.space(i); i < len(p.b) && p.b[i] == end {
		return i + 1
	}
	for {
		begin := i
		if end == '}' {
			if i = p.key(i); i < 0 {
				return -1
			}
		}
		key, at := p.name, i
		if i = p.value(i, depth); i < 0 {
			return -1
		}
		if p.keep && depth == maxDepth-1 && end == '}' {
			p.kept = append(p.kept, member{p.b[begin:key], p.b[at:i]})
		}
		if i = p.space(i); i >= len(p.b) {
			return -1
		}
		if p.b[i] == end {
			return i + 1
		}
		if p.b[i] != ',' {
			return -1
		}
		i = p.space(i + 1)
	}
}

// key reads the name of a member and what stands before its value.
func (p *parser) key(i int) int {
	if i >= len(p.b) || p.b[i] != '"' {
		return -1
	}
	if i = p.text(i + 1); i < 0 {
		return -1
	}
	p.name = i
	if i = p.space(i); i >= len(p.b) || p.b[i] != ':' {
		return -1
	}
	return p.space(i + 1)
}

// text reads the rest of a string, after its first quote.
func (p *parser) text(i int) int {
	b := p.b
	for {
		for len(b)-i >= 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			p.high |= w
			if stop := notText(w); stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = escape(b, i+1); i < 0 {
				return -1
			}
		default:
			p.high |= uint64(c)
			i++
		}
	}
}

// notText marks the bytes of w that end a string's run: quote, backslash, control character. The lowest mark is exact; a
// borrow may set others above it.
func notText(w uint64) uint64 {
	const each, high = 0x0101010101010101, 0x8080808080808080
	quote, slash := w^(each*'"'), w^(each*'\\')
	return ((quote-each)&^quote | (slash-each)&^slash | (w-each*' ')&^w) & high
}

// escape reads an escape after its backslash, both halves of a surrogate pair included.
func escape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return -1
	}
	r := hex4(b, i+1)
	switch {
	case r < 0 || r >= 0xdc00 && r <= 0xdfff:
		return -1
	case r < 0xd800 || r > 0xdfff:
		return i + 5
	}
	if i+6 >= len(b) || b[i+5] != '\\' || b[i+6] != 'u' {
		return -1
	}
	if low := hex4(b, i+7); low < 0xdc00 || low > 0xdfff {
		return -1
	}
	return i + 11
}

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

func literal(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func number(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := i
	if i = digits(b, i); i < 0 || b[whole] == '0' && i > whole+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = digits(b, i)
	}
	return i
}

func digits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// appendString appends s, which is valid UTF-8, as a JSON string.
func appendString(dst, s []byte) []byte {
	for _, c := range s {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			q, _ := json.Marshal(string(s)) // a string cannot fail
			return append(dst, q...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
