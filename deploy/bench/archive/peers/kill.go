package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/bench/internal/figures"
	"github.com/signalbox-ml/signalbox/deploy/bench/internal/rig"
)

const (
	// settled is how long nothing new may come before a run is over: more than a batch's age or the interval of commits.
	settled = 12 * time.Second
	// lost is the same where rows are missing: more than Iceberg waits for a commit.
	lost = 45 * time.Second
)

var (
	errHit = errors.New("the object that was aimed at is stored")
	// errMissed voids a run: what it shows, it shows of an archiver that nobody disturbed.
	errMissed = errors.New("a kill did not hit")
)

// death is one kill -9 and what came after it.
type death struct {
	aim       aim
	rows      int64         // in what a reader finds
	committed int64         // offsets in Kafka
	partition time.Duration // from the kill to having partitions again; 0: not seen
	recovery  time.Duration // from the kill to the first new object with rows, or commit
}

// victim is a run with kills.
type victim struct {
	archive
	cpu    time.Duration // of all lives
	peak   int64
	deaths []death
}

// kill runs an archiver over a topic and ends it twice, each time when the store has an object and the archiver does not
// know that yet. It is started again at once.
func (b *bench) kill(ctx context.Context, a archiver, topic rig.Shop) (v victim, err error) {
	r, err := b.newRun(ctx, a, "kill", topic)
	if err != nil {
		return v, err
	}
	lives := &lives{bench: b, archiver: a, run: r, buried: map[string]bool{}, victim: &v}
	kills := a.about().kills
	for _, aim := range kills {
		if err := lives.next(ctx, &aim); err != nil {
			return v, fmt.Errorf("%s, killed %d times: %w", r.name, len(v.deaths), err)
		}
	}
	if err := lives.next(ctx, nil); err != nil {
		return v, fmt.Errorf("%s, after its kills: %w", r.name, err)
	}
	r.servers = b.servers
	v.archive, err = b.read(ctx, a, r)
	return v, err
}

// lives are those of one archiver.
type lives struct {
	bench    *bench
	archiver archiver
	run      *run
	victim   *victim
	buried   map[string]bool // members of the group that were killed
	died     time.Time       // last
}

// next lets it live until it is hit or, without an aim, until all is archived.
func (l *lives) next(ctx context.Context, at *aim) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := newProxy(l.bench.servers.S3.Endpoint, l.run.name, l.archiver.about().data, at)
	if err != nil {
		return err
	}
	defer p.close()
	l.run.servers = l.bench.servers.Behind(p.endpoint())
	proc, err := l.archiver.start(ctx, l.run)
	if err != nil {
		close(p.dead)
		return err
	}
	err = l.bench.until(ctx, l.archiver, l.run, proc, p.hit, l.look(ctx, p, at == nil))
	l.victim.cpu += figures.CPU(proc.PID())
	l.victim.peak = max(l.victim.peak, figures.Peak(proc.PID()))
	if at == nil && err == nil {
		return proc.Stop(stopping)
	}
	l.recovered(p)
	readers := l.bench.groups.readers(ctx, l.archiver.group(l.run))
	proc.Kill()
	l.died = time.Now()
	close(p.dead)
	for id := range readers {
		l.buried[id] = true
	}
	if !errors.Is(err, errHit) {
		return err
	}
	return l.bury(ctx, *at)
}

// look is what is seen of a life at each glance. It is over when the archiver says in Kafka that it has everything, and
// nothing more comes, whether all is there or not.
func (l *lives) look(ctx context.Context, p *proxy, last bool) func(int64) (bool, error) {
	stored, since := -1, time.Time{}
	all := int64(l.run.topic.Records)
	return func(rows int64) (bool, error) {
		l.revived(ctx, rows)
		objects, _ := p.progress()
		if d := l.last(); objects != stored || d != nil && d.partition == 0 {
			stored, since = objects, time.Now()
		}
		committed, err := l.bench.groups.committed(ctx, l.archiver.group(l.run), l.run.topic.Topic)
		if quiet := time.Since(since); err != nil || committed < all || quiet < settled || rows < all && quiet < lost {
			return false, err
		}
		if !last {
			return false, fmt.Errorf("%w: %d of %d rows are archived in %d objects", errMissed, rows, all, objects)
		}
		l.recovered(p)
		return true, nil
	}
}

// revived notes when the archiver reads again after its last death, and when more rows are archived.
func (l *lives) revived(ctx context.Context, rows int64) {
	d := l.last()
	if d == nil {
		return
	}
	if d.partition == 0 {
		for id := range l.bench.groups.readers(ctx, l.archiver.group(l.run)) {
			if !l.buried[id] {
				d.partition = time.Since(l.died)
			}
		}
	}
	if d.recovery == 0 && rows > d.rows {
		d.recovery = time.Since(l.died)
	}
}

// recovered takes the first object of this life for the recovery, if that was earlier than a look.
func (l *lives) recovered(p *proxy) {
	d := l.last()
	if _, first := p.progress(); d != nil && !first.IsZero() {
		if took := first.Sub(l.died); d.recovery == 0 || took < d.recovery {
			d.recovery = took
		}
	}
}

func (l *lives) last() *death {
	if n := len(l.victim.deaths); n > 0 {
		return &l.victim.deaths[n-1]
	}
	return nil
}

// bury writes down a death.
func (l *lives) bury(ctx context.Context, at aim) error {
	rows, err1 := l.archiver.rows(ctx, l.run)
	committed, err2 := l.bench.groups.committed(ctx, l.archiver.group(l.run), l.run.topic.Topic)
	l.victim.deaths = append(l.victim.deaths, death{aim: at, rows: rows, committed: committed})
	return errors.Join(err1, err2)
}
