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
	i := value(b, space(b, 0), maxDepth)
	return i >= 0 && space(b, i) == len(b) && utf8.Valid(b)
}

// The functions below return the index after what they read at b[i], or -1.

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

func value(b []byte, i, depth int) int {
	if i >= len(b) || depth == 0 {
		return -1
	}
	switch b[i] {
	case '{':
		return members(b, i+1, '}', depth-1)
	case '[':
		return members(b, i+1, ']', depth-1)
	case '"':
		return str(b, i+1)
	case 't':
		return literal(b, i, "true")
	case 'f':
		return literal(b, i, "false")
	case 'n':
		return literal(b, i, "null")
	}
	return number(b, i)
}

// members reads the rest of an object or an array.
func members(b []byte, i int, end byte, depth int) int {
	if i = space(b, i); i < len(b) && b[i] == end {
		return i + 1
	}
	for {
		if end == '}' {
			if i >= len(b) || b[i] != '"' {
				return -1
			}
			if i = str(b, i+1); i < 0 {
				return -1
			}
			if i = space(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i = space(b, i+1)
		}
		if i = value(b, i, depth); i < 0 {
			return -1
		}
		if i = space(b, i); i >= len(b) {
			return -1
		}
		if b[i] == end {
			return i + 1
		}
		if b[i] != ',' {
			return -1
		}
		i = space(b, i+1)
	}
}

// str reads the rest of a string, after its first quote.
func str(b []byte, i int) int {
	for {
		for len(b)-i >= 8 {
			if stop := notText(binary.LittleEndian.Uint64(b[i:])); stop != 0 {
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
