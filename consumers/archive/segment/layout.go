package segment

import "github.com/signalbox-ml/signalbox/events"

// layout is what the names of a record's headers say. Producers send the same ones in the same order again and again, so it
// is worked out once for a run of records.
type layout struct {
	keys  []string
	kinds []attribute
	names []string        // of extensions
	plain []bool          // the key is spelled as a column spells it
	last  [attributes]int // the place of the last header of each, from 1; 0 for none

	// The order of the headers, with those that are named in it; more than 64 headers have none.
	named uint64
	order []byte
}

// of returns l for r's headers.
func (l *layout) of(r *events.Record) *layout {
	if l.fits(r) {
		return l
	}
	l.keys, l.kinds, l.names, l.plain = l.keys[:0], l.kinds[:0], l.names[:0], l.plain[:0]
	l.named, l.order = 0, nil
	l.last = [attributes]int{}
	for i := range r.Headers {
		key := r.Headers[i].Key
		a, name := attributeOf(key)
		plain := isLower(key)
		if a == attrExtension {
			plain = key[len(attrPrefix):] == name && key[:len(attrPrefix)] == attrPrefix
		}
		l.keys, l.kinds, l.names, l.plain = append(l.keys, key), append(l.kinds, a), append(l.names, name), append(l.plain, plain)
		l.last[a] = i + 1
	}
	return l
}

// fits reports whether r's headers have the same names.
func (l *layout) fits(r *events.Record) bool {
	if len(l.keys) != len(r.Headers) {
		return false
	}
	for i := range r.Headers {
		if r.Headers[i].Key != l.keys[i] {
			return false
		}
	}
	return true
}

// value returns the last value of an attribute, nil where it is absent.
func (l *layout) value(r *events.Record, a attribute) []byte {
	i := l.last[a]
	if i == 0 {
		return nil
	}
	return r.Headers[i-1].Value
}

func isLower(key string) bool {
	for i := range len(key) {
		if c := key[i]; c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}
