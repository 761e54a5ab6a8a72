package events

import (
	"errors"
	"iter"

	"github.com/signalbox-ml/signalbox/events/lex"
)

// Elements yields the elements of the JSON array b, such as a batch of events, as parts of b and without a look into
// them: each is JSON that may still hold text that is no UTF-8. The error says where b stops being an array; nothing
// comes after it.
func Elements(b []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		l := lex.Lexer{Data: b, Loose: true}
		if l.Peek() != '[' {
			yield(nil, errors.New("want a JSON array"))
			return
		}
		l.Pos++
		more := l.Peek() != ']'
		if !more {
			l.Pos++
		}
		for more {
			l.Peek()
			from := l.Pos
			ok := l.Skip(maxDepth)
			element := b[from:l.Pos:l.Pos]
			if ok {
				more, ok = l.Next(']')
			}
			if !ok {
				yield(nil, notJSON(&l))
				return
			}
			if !yield(element, nil) {
				return
			}
		}
		if !l.End() {
			yield(nil, notJSON(&l))
		}
	}
}
