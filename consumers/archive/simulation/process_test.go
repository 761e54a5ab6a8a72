package simulation_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// process is a program that is started again whenever it ends.
type process struct {
	world *world
	name  string
	run   func(ctx context.Context, l *life, c *cable, rng *rand.Rand, soft <-chan struct{}) // until soft closes; ctx ends when it dies

	mu    sync.Mutex
	life  *life
	cable *cable
	soft  chan struct{} // tells the life of the moment to stop
	n     int
}

// now returns the life of the moment, nil between two.
func (p *process) now() (*life, *cable) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life, p.cable
}

// stop tells the life of the moment to end as a program does that is told to. It reports whether there is one.
func (p *process) stop() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.soft == nil {
		return false
	}
	close(p.soft)
	p.soft = nil
	return true
}

// live starts the program again and again until ctx ends; then it is told to stop, and live waits for it.
func (p *process) live(ctx context.Context) {
	for ctx.Err() == nil {
		rng := stream(p.world.seed, "life", p.name, p.n)
		dying, kill := context.WithCancel(context.WithoutCancel(ctx))
		l := &life{world: p.world, name: p.name, n: p.n, kill: kill, calls: map[string]int{}}
		c := &cable{dial: p.world.virtual.Config().Dial, life: l}
		soft := make(chan struct{})
		p.mu.Lock()
		p.life, p.cable, p.soft, p.n = l, c, soft, p.n+1
		p.mu.Unlock()
		over := make(chan struct{})
		p.world.work.Go(func() {
			defer close(over)
			p.run(dying, l, c, rng, soft)
		})
		select {
		case <-over: // it was told to stop
		case <-dying.Done():
			c.cut()
		case <-ctx.Done():
			p.stop()
			<-over
		}
		kill()
		p.mu.Lock()
		p.life, p.cable, p.soft = nil, nil, nil
		p.mu.Unlock()
		select {
		case <-time.After(between(rng, 0, 90*time.Second)):
		case <-ctx.Done():
		}
	}
}

// archiver runs a tap and an archiver, as the program does.
func archiver(ctx context.Context, l *life, c *cable, rng *rand.Rand, soft <-chan struct{}) {
	w := l.world
	cfg := w.virtual.Config()
	cfg.Dial, cfg.GroupProtocol, cfg.SessionTimeout, cfg.Log = c.Dial, w.protocol, session, w.log
	tap, err := kafka.NewTap(kafka.TapConfig{
		Config: cfg, Group: "archive", Discovery: 20 * time.Second, IdleInterval: 10 * time.Second, PartitionBytes: 64 << 10, Drain: 15 * time.Second,
	})
	if err != nil {
		w.breach("%s: %v", l.name, err)
		return
	}
	limits := archive.Config{
		Ledger: mortalLedger{w.ledger, l}, Bucket: mortalBucket{w.bucket, l}, Committer: tap, Log: w.log,
		Owner: fmt.Sprint(l.name, "/", l.n), Source: source,
		MaxBytes: 64<<10 + rng.Int64N(256<<10), MaxRows: 30 + rng.IntN(400), MaxAge: between(rng, time.Minute, 8*time.Minute),
		MaxFiles: 2 + rng.IntN(4), Budget: 256<<10 + rng.Int64N(256<<10), Drain: 10 * time.Second,
	}
	a, err := archive.New(limits)
	if err != nil {
		w.breach("%s: %v", l.name, err)
		return
	}
	tapping, stopTap := context.WithCancel(ctx)
	running, stopRun := context.WithCancel(ctx)
	defer stopRun()
	defer stopTap()
	var work, runs sync.WaitGroup
	work.Go(func() {
		if err := tap.Run(tapping, a); err != nil {
			w.breach("%s: tap: %v", l.name, err)
		}
	})
	runs.Go(func() {
		if err := a.Run(running); err != nil {
			w.breach("%s: archiver: %v", l.name, err)
		}
	})
	watched := make(chan struct{})
	runs.Go(func() { w.watchMemory(l.name, a, limits.Budget, watched) })
	select {
	case <-soft:
	case <-tapping.Done():
	}
	stopTap()
	work.Wait()
	stopRun()
	close(watched)
	runs.Wait()
	w.bury(a.Stats())
}

// compactor runs a compactor.
func compactor(ctx context.Context, l *life, _ *cable, _ *rand.Rand, soft <-chan struct{}) {
	w := l.world
	c, err := compact.New(compact.Config{
		Ledger: mortalLedger{w.ledger, l}, Bucket: mortalBucket{w.bucket, l}, References: unused{}, Dir: w.scratch, Log: w.log,
		Interval: 12 * time.Minute, Grace: blockLength + 30*time.Minute, Target: 64 << 10, Memory: 64 << 10,
	})
	if err != nil {
		w.breach("%s: %v", l.name, err)
		return
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	w.work.Go(func() {
		select {
		case <-soft:
			end()
		case <-ctx.Done():
		}
	})
	if err := c.Run(ctx); err != nil {
		w.breach("%s: %v", l.name, err)
	}
	s := c.Stats()
	w.tally.hits(sawDuplicate, int(s.Duplicates))
	w.tally.hits(sawPurge, int(s.Purged))
}

// unused pins no file.
type unused struct{}

// Referenced implements compact.References.
func (unused) Referenced(context.Context, []string) (map[string]bool, error) { return nil, nil }
