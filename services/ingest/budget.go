package ingest

import "sync/atomic"

// budget bounds what all requests together hold. Who finds nothing left is refused at once: waiting would hold memory,
// too.
type budget struct{ left atomic.Int64 }

func newBudget(n int64) *budget {
	b := &budget{}
	b.left.Store(n)
	return b
}

// lease is what one request holds of a budget. It belongs to one goroutine.
type lease struct {
	from *budget
	held int64
}

func (b *budget) lease() *lease { return &lease{from: b} }

// spent reports that nothing at all is left. It is a hint: the next moment there may be.
func (b *budget) spent() bool { return b.left.Load() <= 0 }

// take reports whether n more are there, and holds them.
func (l *lease) take(n int64) bool {
	for {
		left := l.from.left.Load()
		if n > left {
			return false
		}
		if l.from.left.CompareAndSwap(left, left-n) {
			l.held += n
			return true
		}
	}
}

// end gives everything back.
func (l *lease) end() {
	l.from.left.Add(l.held)
	l.held = 0
}
