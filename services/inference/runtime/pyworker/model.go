package pyworker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// Model is a package with its workers.
type Model struct {
	cfg Config
	log *slog.Logger
	dir string
	sig manifest.Signature

	queue   chan *call
	waiting atomic.Int64 // rows in queue

	workers sync.WaitGroup
	stop    context.CancelFunc // of the workers
	live    atomic.Int32       // workers with a process

	closing chan struct{} // closed by Close
	idle    *sync.Cond    // signalled when a prediction ends; its lock guards the rest
	active  int           // predictions under way
	closed  bool
}

// call is one request. It owns its data: the caller may be gone before a worker takes it.
type call struct {
	ctx    context.Context //nolint:containedctx // a call outlives the goroutine that brought it
	rows   int
	values []byte // as in the frame
	text   []string
	ends   int // workers that ended with it
	done   chan answer
}

type answer struct {
	values []float64
	err    error
}

// Predict implements runtime.Model. Besides the errors of its contract it returns ErrPoison, and a *ModelError where the
// package's code failed.
func (m *Model) Predict(ctx context.Context, in runtime.Batch) (runtime.Batch, error) {
	if in.Width != len(m.sig.Inputs) || len(in.Values) != in.Rows*in.Width || len(in.Text) != 0 && len(in.Text) != len(in.Values) {
		return runtime.Batch{}, fmt.Errorf("predict: %d columns, want %d: %w", in.Width, len(m.sig.Inputs), runtime.ErrWidth)
	}
	if err := ctx.Err(); err != nil {
		return runtime.Batch{}, err
	}
	out := runtime.Batch{Rows: in.Rows, Width: len(m.sig.Outputs)}
	if in.Rows == 0 {
		return out, nil
	}
	if !m.enter() {
		return runtime.Batch{}, runtime.ErrClosed
	}
	defer m.leave()
	c := &call{
		ctx: ctx, rows: in.Rows, values: appendFloats(make([]byte, 0, 8*len(in.Values)), in.Values),
		text: slices.Clone(in.Text), done: make(chan answer, 1),
	}
	if err := m.enqueue(c); err != nil {
		return runtime.Batch{}, err
	}
	select {
	case a := <-c.done:
		out.Values = a.values
		return out, a.err
	case <-ctx.Done():
		return runtime.Batch{}, ctx.Err()
	}
}

// enqueue queues c, or refuses it where too many rows wait already.
func (m *Model) enqueue(c *call) error {
	rows := int64(c.rows)
	if before := m.waiting.Add(rows) - rows; before > 0 && before+rows > int64(m.cfg.MaxQueue) {
		m.waiting.Add(-rows)
		return fmt.Errorf("%d rows wait: %w", before, runtime.ErrOverloaded)
	}
	select {
	case m.queue <- c:
		return nil
	default:
		m.waiting.Add(-rows)
		return fmt.Errorf("queue is full: %w", runtime.ErrOverloaded)
	}
}

// Close lets predictions under way finish, then ends the workers. Later predictions get runtime.ErrClosed.
func (m *Model) Close() error {
	m.idle.L.Lock()
	if !m.closed {
		m.closed = true
		close(m.closing)
	}
	for m.active > 0 {
		m.idle.Wait()
	}
	m.idle.L.Unlock()
	m.stop()
	m.workers.Wait()
	return nil
}

func (m *Model) enter() bool {
	m.idle.L.Lock()
	defer m.idle.L.Unlock()
	if m.closed {
		return false
	}
	m.active++
	return true
}

func (m *Model) leave() {
	m.idle.L.Lock()
	defer m.idle.L.Unlock()
	m.active--
	m.idle.Broadcast()
}
