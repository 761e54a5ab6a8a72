package backendtest

import (
	"context"
	"io"
	"sync"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
)

func TestMemory(t *testing.T) {
	TestBackend(t, func(t *testing.T) Subject {
		var mu sync.Mutex
		gates := map[jobKey]chan int{}
		gate := func(run registry.RunID, attempt int) chan int {
			mu.Lock()
			defer mu.Unlock()
			k := jobKey{run, attempt}
			if gates[k] == nil {
				gates[k] = make(chan int, 1)
			}
			return gates[k]
		}
		m := NewMemory(func(ctx context.Context, j train.Job, out io.Writer) int {
			_, _ = io.WriteString(out, Begin)
			select {
			case code := <-gate(j.Run, j.Attempt):
				_, _ = io.WriteString(out, End)
				return code
			case <-ctx.Done():
				return 1
			}
		})
		t.Cleanup(m.Close)
		return Subject{
			Backend: m,
			Release: func(_ *testing.T, run registry.RunID, attempt, status int) { gate(run, attempt) <- status },
			Kill:    func(_ *testing.T, run registry.RunID, attempt int) { m.Kill(run, attempt) },
			Restart: func(*testing.T) train.Backend { m.Lose(); return m },
		}
	})
}
