package schema

import (
	"math/big"
	"regexp"
	"strings"
	"testing"
)

var (
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?$`)
	farNumber  = regexp.MustCompile(`^(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?[eE][+-]?)0*[1-9][0-9]{4,}$`)
)

// nearer returns a number whose exponent can be written out. Numbers of a hundred letters that jsonNumber matches are on the
// same side of it.
func nearer(number string) string { return farNumber.ReplaceAllString(number, "${1}9999") }

// FuzzDecimal compares with rational numbers, which are exact, too.
func FuzzDecimal(f *testing.F) {
	for digits := 17; digits <= 25; digits++ {
		for _, first := range "189" {
			f.Add("1e"+string(first)+strings.Repeat("9", digits-1), "7e3")
			f.Add("-1.5E-"+string(first)+strings.Repeat("0", digits-1), "-0.3")
		}
	}
	for _, a := range numbers {
		f.Add(a, "0.1")
		f.Add("-"+strings.TrimPrefix(a, "-"), "1e3")
		f.Add("1e-3", a)
	}
	f.Add("100000000000000000000e-20", "1")
	f.Add("0.000e5", "-0")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 100 || len(b) > 100 || !jsonNumber.MatchString(a) && !farNumber.MatchString(a) || !jsonNumber.MatchString(b) {
			return
		}
		x, _ := new(big.Rat).SetString(nearer(a))
		y, _ := new(big.Rat).SetString(b)
		d, e := parseDecimal([]byte(a)), parseDecimal([]byte(b))
		if got := d.compare(e); got != x.Cmp(y) || CompareNumbers(a, b) != got {
			t.Errorf("%s against %s: %d, want %d", a, b, got, x.Cmp(y))
		}
		if (string(d.appendKey(nil)) == string(e.appendKey(nil))) != (x.Cmp(y) == 0) {
			t.Errorf("keys of %s and %s: %s, %s", a, b, d.appendKey(nil), e.appendKey(nil))
		}
		if d.whole() != x.IsInt() {
			t.Errorf("%s is whole: %v", a, d.whole())
		}
		if e.sign() > 0 && e.count <= maxFactorDigits {
			if got := factorOf(e).divides(d); got != new(big.Rat).Quo(x, y).IsInt() {
				t.Errorf("%s is a multiple of %s: %v", a, b, got)
			}
		}
	})
}

// TestExponentsOfAnyLength: however many digits an exponent has, the verdict is that of the oracle on one it can write out.
func TestExponentsOfAnyLength(t *testing.T) {
	for _, doc := range []string{
		`{"type":"number","minimum":0,"maximum":100}`, `{"exclusiveMinimum":-1e300,"exclusiveMaximum":1e-300}`, `{"type":"integer"}`,
		`{"type":"integer","maximum":5}`, `{"multipleOf":0.07}`, `{"multipleOf":1024}`, `{"enum":[0,1,1e100,-1e-100]}`,
	} {
		ours := compile(t, doc)
		theirs, err := oracle([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		for digits := 17; digits <= 25; digits++ {
			for _, first := range "123456789" {
				for _, mantissa := range []string{"1e", "-1e", "0E", "7e+", "0.0035e+", "1e-", "-2.5e-", "0e-"} {
					number := mantissa + string(first) + strings.Repeat("9", digits-1)
					want := fits(theirs, []byte(nearer(number)))
					if got := ours.Check([]byte(number)); (got == nil) != (want == nil) {
						t.Errorf("%s holds %s: %v; the oracle says of %s: %v", doc, number, got, nearer(number), want)
					}
				}
			}
		}
	}
}

// TestFarExponents: numbers that nobody could write out cost nothing and are still in order.
func TestFarExponents(t *testing.T) {
	far := "1e" + strings.Repeat("9", 1000)
	near := "1e-" + strings.Repeat("9", 1000)
	for _, list := range [][]string{{"-" + far, "-1e400", "-1", "-" + near, "0", near, "1", "1e400", far}} {
		for i, a := range list {
			for j, b := range list {
				if got := CompareNumbers(a, b); got != min(1, max(-1, i-j)) {
					t.Errorf("%.20s against %.20s: %d", a, b, got)
				}
			}
		}
	}
	s := compile(t, `{"type":"integer","multipleOf":7}`)
	if s.Check([]byte("7e"+strings.Repeat("9", 15))) != nil || s.Check([]byte(far)) == nil || s.Check([]byte(near)) == nil {
		t.Error("multiples of 7")
	}
}
