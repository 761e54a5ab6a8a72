package simulation_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

var (
	errDead   = errors.New("this process was killed")
	errDown   = errors.New("503 Service Unavailable")
	errDeaf   = errors.New("connection reset by peer")
	errSerial = errors.New("ERROR: could not serialize access due to concurrent update (SQLSTATE 40001)")
)

// ambush waits for a process to take a step.
type ambush struct {
	fault fault
	op    string
	after bool          // the step has its effect
	stop  time.Duration // of a stop; 0 kills
}

// life is one process from its start to its end. Whatever it asks of the world goes through it.
type life struct {
	world *world
	name  string // of the process
	n     int    // which of its lives
	kill  context.CancelFunc
	gate  gate

	mu       sync.Mutex
	dead     bool
	calls    map[string]int // of each op
	ambushes []ambush
}

// pass waits while the process is stopped. It fails once it is dead.
func (l *life) pass() error {
	l.gate.pass()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errDead
	}
	return nil
}

// die is kill -9: nothing that the process asks for happens any more.
func (l *life) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.kill()
}

func (l *life) await(a ambush) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ambushes = append(l.ambushes, a)
}

// disarm forgets ambushes that nothing has met.
func (l *life) disarm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ambushes = nil
}

// met springs the ambushes on a step; it fails if the process is dead then.
func (l *life) met(op string, after bool) error {
	l.mu.Lock()
	var sprung *ambush
	for i, a := range l.ambushes {
		if a.op == op && a.after == after {
			sprung = &a
			l.ambushes = append(l.ambushes[:i:i], l.ambushes[i+1:]...)
			break
		}
	}
	l.mu.Unlock()
	switch {
	case sprung == nil:
	case sprung.stop > 0:
		l.world.tally.hit(sprung.fault)
		l.gate.hold(sprung.stop)
	default:
		l.world.tally.hit(sprung.fault)
		l.die()
	}
	return l.pass()
}

// numbers returns the random numbers of the next call of op.
func (l *life) numbers(op string) *rand.Rand {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[op]++
	return stream(l.world.seed, "call", l.name, l.n, op, l.calls[op])
}

// store is the faults of one kind of store.
type store struct{ down, serial, deaf, slow, late fault }

func bucketFaults() store {
	return store{down: bucketDown, deaf: bucketDeaf, slow: bucketSlow, late: bucketLate}
}

func ledgerFaults() store {
	return store{down: ledgerDown, serial: ledgerSerial, deaf: ledgerDeaf, slow: ledgerSlow, late: ledgerLate}
}

// ask makes a call of a process, or not, or later.
func ask[T any](ctx context.Context, l *life, s store, op string, do func(context.Context) (T, error)) (T, error) {
	var none T
	if err := l.pass(); err != nil {
		return none, err
	}
	if err := l.met(op, false); err != nil {
		return none, err
	}
	rng := l.numbers(op)
	f := l.world.weather.of(l.name, []fault{s.down, s.serial, s.deaf, s.slow, s.late}, rng.Float64)
	if f != "" {
		l.world.tally.hit(f)
	}
	switch f {
	case "":
	case s.down:
		return none, errDown
	case s.serial:
		return none, errSerial
	case s.slow:
		select {
		case <-time.After(between(rng, 100*time.Millisecond, 40*time.Second)):
		case <-ctx.Done():
		}
	case s.late:
		delay := between(rng, time.Second, 2*time.Minute)
		l.world.work.Go(func() {
			wait(delay)
			_, _ = do(context.WithoutCancel(ctx))
		})
		select {
		case <-time.After(delay / 2):
			return none, errDeaf
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	v, err := do(ctx)
	if err == nil {
		if err := l.met(op, true); err != nil {
			return none, err
		}
	}
	if dead := l.pass(); dead != nil {
		return none, dead
	}
	if f == s.deaf && f != "" {
		return none, errDeaf
	}
	return v, err
}
