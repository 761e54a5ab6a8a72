package runtime

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// scanner walks through JSON text without building anything. It accepts what encoding/json accepts.
type scanner struct {
	buf []byte
	pos int
}

func (s *scanner) fault(what string) error {
	return fmt.Errorf("byte %d: %s: %w", s.pos, what, ErrSyntax)
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.buf) {
		return s.buf[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.buf) {
		switch s.buf[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// take skips white space and wants b.
func (s *scanner) take(b byte) error {
	s.space()
	if s.peek() != b || s.pos >= len(s.buf) {
		return s.fault("want " + strconv.QuoteRune(rune(b)))
	}
	s.pos++
	return nil
}

// end wants nothing but white space.
func (s *scanner) end() error {
	if s.space(); s.pos < len(s.buf) {
		return s.fault("bytes after the end")
	}
	return nil
}

// word wants a literal.
func (s *scanner) word(w string) error {
	if len(s.buf)-s.pos < len(w) || string(s.buf[s.pos:s.pos+len(w)]) != w {
		return s.fault("want " + w)
	}
	s.pos += len(w)
	return nil
}

// members reads an object. member stands after the colon and must read the value; key is valid until it does.
func (s *scanner) members(member func(key []byte) error) error {
	if err := s.take('{'); err != nil {
		return err
	}
	if s.space(); s.peek() == '}' {
		s.pos++
		return nil
	}
	for {
		if s.space(); s.peek() != '"' {
			return s.fault("want a member's name")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if err := s.take(':'); err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
		if s.space(); s.peek() != ',' {
			return s.take('}')
		}
		s.pos++
	}
}

// elements reads an array. element must read one value.
func (s *scanner) elements(element func() error) error {
	if err := s.take('['); err != nil {
		return err
	}
	if s.space(); s.peek() == ']' {
		s.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if s.space(); s.peek() != ',' {
			return s.take(']')
		}
		s.pos++
	}
}

// text reads a string and returns its value, a slice of the input where it has no escapes.
func (s *scanner) text() ([]byte, error) {
	from, escaped := s.pos, false
	for i := s.pos + 1; i < len(s.buf); i++ {
		switch b := s.buf[i]; {
		case b == '"':
			s.pos = i + 1
			if !escaped {
				return s.buf[from+1 : i], nil
			}
			var v string
			if err := json.Unmarshal(s.buf[from:i+1], &v); err != nil {
				s.pos = from
				return nil, s.fault("bad string")
			}
			return []byte(v), nil
		case b == '\\':
			escaped = true
			i++
		case b < ' ':
			s.pos = i
			return nil, s.fault("control character in a string")
		}
	}
	return nil, s.fault("string without an end")
}

// skip reads any value.
func (s *scanner) skip() error {
	s.space()
	from, depth := s.pos, 0
	for s.pos < len(s.buf) {
		switch b := s.buf[s.pos]; b {
		case '"':
			if _, err := s.text(); err != nil {
				return err
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return s.check(from)
			}
		case ',':
			if depth == 0 {
				return s.check(from)
			}
		}
		s.pos++
	}
	return s.fault("value without an end")
}

// check wants one JSON value since from.
func (s *scanner) check(from int) error {
	if !json.Valid(s.buf[from:s.pos]) {
		s.pos = from
		return s.fault("bad value")
	}
	return nil
}

// exact are the powers of ten that a double holds exactly.
var exact = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// number reads a number, rounded once; one beyond the range of a double is infinite. Up to 2^53 with a small power of
// ten the result is one exact multiplication or division; strconv takes the rest.
func (s *scanner) number() (float64, error) {
	from := s.pos
	neg := s.peek() == '-'
	if neg {
		s.pos++
	}
	var mant uint64
	digits, power := 0, 0
	whole := s.pos
	for b := s.peek(); b >= '0' && b <= '9'; b = s.peek() {
		mant, digits, s.pos = mant*10+uint64(b-'0'), digits+1, s.pos+1
	}
	if digits == 0 || digits > 1 && s.buf[whole] == '0' {
		return 0, s.fault("bad number")
	}
	if s.peek() == '.' {
		s.pos++
		point := digits
		for b := s.peek(); b >= '0' && b <= '9'; b = s.peek() {
			mant, digits, s.pos = mant*10+uint64(b-'0'), digits+1, s.pos+1
		}
		if power = point - digits; power == 0 {
			return 0, s.fault("bad number")
		}
	}
	if b := s.peek(); b == 'e' || b == 'E' {
		return s.scientific(from)
	}
	if digits <= 19 && mant <= 1<<53 && -power < len(exact) {
		v := float64(mant) / exact[-power]
		if neg {
			v = -v
		}
		return v, nil
	}
	return s.parse(from)
}

// scientific reads on from the e of a number.
func (s *scanner) scientific(from int) (float64, error) {
	s.pos++
	if b := s.peek(); b == '+' || b == '-' {
		s.pos++
	}
	first := s.pos
	for b := s.peek(); b >= '0' && b <= '9'; b = s.peek() {
		s.pos++
	}
	if s.pos == first {
		return 0, s.fault("bad number")
	}
	return s.parse(from)
}

func (s *scanner) parse(from int) (float64, error) {
	v, err := strconv.ParseFloat(string(s.buf[from:s.pos]), 64)
	if err != nil && !math.IsInf(v, 0) {
		return 0, s.fault("bad number")
	}
	return v, nil
}
