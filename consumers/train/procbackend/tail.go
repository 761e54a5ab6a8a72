package procbackend

import "sync"

const maxWords = 4 << 10 // bytes

// words keeps the end of what is written to it.
type words struct {
	mu   sync.Mutex
	tail []byte
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tail = append(w.tail, b...)
	w.tail = w.tail[max(0, len(w.tail)-maxWords):]
	return len(b), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.tail)
}
