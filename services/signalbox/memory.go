package main

import (
	"os"
	"sync"
)

// What an archiver's budget is for: two fifths are records that wait for their file, a fifth what was fetched and is not among
// them yet. The rest is what encoding takes, and room for the garbage collector to work in.
func recordsOf(budget int64) int64 { return budget / 5 * 2 }
func fetchesOf(budget int64) int64 { return budget / 5 }

// programBytes is about what a process takes beside what the garbage collector knows of: its own code.
const programBytes = 48 << 20

// allowance is how much memory the garbage collector may take. It works the harder the nearer it gets; without one it lets the
// heap double.
type allowance struct {
	set func(int64) int64 // as debug.SetMemoryLimit

	mu    sync.Mutex
	limit int64 // 0: whoever runs the process has said one
}

// newAllowance holds a process to limit bytes, unless its environment does.
func newAllowance(limit int64, set func(int64) int64) *allowance {
	a := &allowance{set: set}
	if _, said := os.LookupEnv("GOMEMLIMIT"); !said {
		a.limit = max(limit-programBytes, limit/2)
		a.set(a.limit)
	}
	return a
}

// lend raises the limit for work that takes n bytes more, until they are given back.
func (a *allowance) lend(n int64) (giveBack func()) {
	a.add(n)
	return sync.OnceFunc(func() { a.add(-n) })
}

func (a *allowance) add(n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.limit > 0 {
		a.limit += n
		a.set(a.limit)
	}
}
