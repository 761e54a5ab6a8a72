package schema

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"strconv"
)

// decimal is a number of JSON, exactly: 0.digits times ten to the power of point. It refers to the number's text.
type decimal struct {
	neg    bool
	digits []byte // from the first that is not 0 to the last that is not 0; the decimal point may stand among them
	count  int64  // of digits without the point; 0 means zero
	point  int64
}

// farPoint stands for every exponent that is larger: no number of a schema comes near. Another digit still fits into 64 bits.
const farPoint = math.MaxInt64 / 16

// parseDecimal reads a valid JSON number.
func parseDecimal(text []byte) decimal {
	var d decimal
	if text[0] == '-' {
		d.neg, text = true, text[1:]
	}
	exp := int64(0)
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		exp, text = exponent(text[i+1:]), text[:i]
	}
	d.point = int64(len(text))
	if i := bytes.IndexByte(text, '.'); i >= 0 {
		d.point = int64(i)
	}
	for len(text) > 0 && (text[0] == '0' || text[0] == '.') {
		if text[0] == '0' {
			d.point--
		}
		if text[0] == '.' {
			d.point = 0
		}
		text = text[1:]
	}
	text = trimZeros(text)
	if len(text) == 0 {
		return decimal{}
	}
	d.digits, d.count = text, int64(len(text))
	if bytes.IndexByte(text, '.') >= 0 {
		d.count--
	}
	d.point += exp
	return d
}

// trimZeros removes what does not count at the end: zeros, and the point before them. The zeros of a whole number do not
// count either, because point knows how large it is.
func trimZeros(text []byte) []byte {
	return bytes.TrimRight(text, "0.")
}

// exponent reads digits with a sign, and stops counting where the number is beyond all others.
func exponent(text []byte) int64 {
	neg := text[0] == '-'
	if neg || text[0] == '+' {
		text = text[1:]
	}
	n := int64(0)
	for _, c := range text {
		n = min(10*n+int64(c-'0'), farPoint)
	}
	if neg {
		return -n
	}
	return n
}

// whole reports whether d has no fraction.
func (d decimal) whole() bool { return d.count <= d.point || d.count == 0 }

// compare returns -1, 0 or 1.
func (d decimal) compare(e decimal) int {
	switch {
	case d.sign() != e.sign():
		return cmp.Compare(d.sign(), e.sign())
	case d.neg:
		return e.magnitude(d)
	}
	return d.magnitude(e)
}

// appendKey appends what is the same for equal numbers and for no others.
func (d decimal) appendKey(dst []byte) []byte {
	dst = strconv.AppendInt(dst, d.point, 10)
	if d.neg {
		dst = append(dst, '-')
	}
	dst = append(dst, '.')
	for _, c := range d.digits {
		if c != '.' {
			dst = append(dst, c)
		}
	}
	return dst
}

func (d decimal) sign() int {
	switch {
	case d.count == 0:
		return 0
	case d.neg:
		return -1
	}
	return 1
}

// magnitude compares without the signs.
func (d decimal) magnitude(e decimal) int {
	if d.point != e.point {
		return cmp.Compare(d.point, e.point)
	}
	a, b := d.digits, e.digits
	for {
		if len(a) > 0 && a[0] == '.' {
			a = a[1:]
		}
		if len(b) > 0 && b[0] == '.' {
			b = b[1:]
		}
		if len(a) == 0 || len(b) == 0 {
			return cmp.Compare(len(a), len(b))
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
}

// factor is what multipleOf asks for: n times ten to the power of exp, where n does not end in 0.
type factor struct {
	n   uint64
	exp int64
}

// maxFactorDigits keeps a factor within 64 bits.
const maxFactorDigits = 18

// factorOf returns d, which has at most maxFactorDigits.
func factorOf(d decimal) factor {
	f := factor{exp: d.point - d.count}
	for _, c := range d.digits {
		if c != '.' {
			f.n = 10*f.n + uint64(c-'0')
		}
	}
	return f
}

// divides reports whether d is a multiple of f.
func (f factor) divides(d decimal) bool {
	shift := d.point - d.count - f.exp
	if d.count == 0 || shift < 0 {
		return d.count == 0 // the last digit of d is not 0, so d would be a multiple of less than f's last place
	}
	rem := uint64(0)
	for _, c := range d.digits {
		if c != '.' {
			rem = f.times(rem, 10, uint64(c-'0'))
		}
	}
	for power := 10 % f.n; shift > 0 && rem != 0; shift >>= 1 {
		if shift&1 == 1 {
			rem = f.times(rem, power, 0)
		}
		power = f.times(power, power, 0)
	}
	return rem == 0
}

// times returns (a*b + c) modulo n, where a is less than n.
func (f factor) times(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c, 0)
	return bits.Rem64(hi+carry, lo, f.n)
}

// CompareNumbers compares two JSON numbers exactly, as Bound holds them: -1, 0 or 1.
func CompareNumbers(a, b string) int {
	return parseDecimal([]byte(a)).compare(parseDecimal([]byte(b)))
}
