package schema

import "strings"

// Bounds of the numbers that a schema names: far more than anybody means, and few enough to print.
const (
	maxDigits = 1000
	maxCount  = 1 << 30
)

// numeric takes the keywords for numbers. Of two bounds on one side the tighter stays.
func (b *builder) numeric(n *Node, e entry, path string) bool {
	switch e.name {
	case "minimum", "exclusiveMinimum":
		n.Minimum = b.bound(n.Minimum, e, path, 1)
	case "maximum", "exclusiveMaximum":
		n.Maximum = b.bound(n.Maximum, e, path, -1)
	case "multipleOf":
		d, ok := b.decimal(e.value, path)
		switch {
		case !ok:
		case d.sign() <= 0:
			b.fault(path, "want a number above 0")
		case d.count > maxFactorDigits:
			b.fault(path, "want at most %d digits", maxFactorDigits)
		default:
			f := factorOf(d)
			n.MultipleOf, n.multiple = e.value.text, &f
		}
	default:
		return false
	}
	return true
}

// bound returns the tighter of have and what e says. side is 1 where larger is tighter, else -1.
func (b *builder) bound(have *Bound, e entry, path string, side int) *Bound {
	d, ok := b.decimal(e.value, path)
	if !ok {
		return have
	}
	fresh := &Bound{Number: e.value.text, Exclusive: strings.HasPrefix(e.name, "exclusive"), decimal: d}
	if have == nil {
		return fresh
	}
	if order := side * d.compare(have.decimal); order > 0 || order == 0 && fresh.Exclusive {
		return fresh
	}
	return have
}

func (b *builder) decimal(doc document, path string) (decimal, bool) {
	if doc.typ != Number {
		return decimal{}, b.fault(path, "want a number")
	}
	d := parseDecimal([]byte(doc.text))
	if len(doc.text) > maxDigits || d.point > maxDigits || d.point < -maxDigits {
		return decimal{}, b.fault(path, "want a number of at most %d digits written out", maxDigits)
	}
	return d, true
}

// count reads a number of letters, elements or members.
func (b *builder) count(doc document, path string) int {
	d, ok := b.decimal(doc, path)
	if !ok {
		return -1
	}
	if d.neg || !d.whole() || d.point > 10 {
		b.fault(path, "want a whole number from 0 to %d", maxCount)
		return -1
	}
	n := 0
	for i, c := int64(0), strings.ReplaceAll(string(d.digits), ".", ""); i < d.point; i++ {
		if n *= 10; i < int64(len(c)) {
			n += int(c[i] - '0')
		}
	}
	if n > maxCount {
		b.fault(path, "want a whole number from 0 to %d", maxCount)
	}
	return n
}

// ordered refuses bounds that nothing fits.
func (b *builder) ordered(n *Node) {
	for _, pair := range []struct {
		name        string
		least, most int
	}{
		{"Length", n.MinLength, n.MaxLength}, {"Items", n.MinItems, n.MaxItems}, {"Properties", n.MinProperties, n.MaxProperties},
	} {
		if pair.most >= 0 && pair.least > pair.most {
			b.fault(at(b.path, "max"+pair.name), "it is below min%s, so nothing fits", pair.name)
		}
	}
	if n.Minimum == nil || n.Maximum == nil {
		return
	}
	if order := n.Minimum.decimal.compare(n.Maximum.decimal); order > 0 || order == 0 && (n.Minimum.Exclusive || n.Maximum.Exclusive) {
		b.fault(b.path, "no number is between %s and %s", clip(n.Minimum.Number), clip(n.Maximum.Number))
	}
}
