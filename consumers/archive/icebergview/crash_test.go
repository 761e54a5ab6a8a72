package icebergview_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/icebergview"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var errDead = errors.New("this process was killed")

// life stands between one publisher and the world. It can end the publisher at any call, like kill -9: the call has its effect
// or has not, and none follows.
type life struct {
	end   int  // the call that is the last one; 0 for none
	after bool // it has its effect

	mu    sync.Mutex
	calls int
	dead  bool
}

func (l *life) mortal(cfg *icebergview.Config) {
	cfg.Bucket, cfg.Ledger, cfg.Views = mortalBucket{cfg.Bucket, l}, mortalLedger{cfg.Ledger, l}, mortalViews{cfg.Views, l}
}

func (l *life) call(do func() error) error {
	l.mu.Lock()
	l.calls++
	dead := l.dead
	l.dead = l.dead || l.calls == l.end
	last := l.dead && !dead
	l.mu.Unlock()
	if dead || last && !l.after {
		return errDead
	}
	if err := do(); err != nil {
		return err
	}
	if last {
		return errDead
	}
	return nil
}

type mortalBucket struct {
	bucket.Bucket
	life *life
}

func (b mortalBucket) Get(ctx context.Context, key string, r bucket.Range) (body io.ReadCloser, a bucket.Attrs, err error) {
	err = b.life.call(func() error { body, a, err = b.Bucket.Get(ctx, key, r); return err })
	return body, a, err
}

func (b mortalBucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (a bucket.Attrs, err error) {
	err = b.life.call(func() error { a, err = b.Bucket.Put(ctx, key, body, size, o); return err })
	return a, err
}

func (b mortalBucket) Delete(ctx context.Context, key string) error {
	return b.life.call(func() error { return b.Bucket.Delete(ctx, key) })
}

type mortalLedger struct {
	icebergview.Ledger
	life *life
}

func (m mortalLedger) Files(ctx context.Context, q ledger.FileQuery) (fs []ledger.LedgerFile, err error) {
	err = m.life.call(func() error { fs, err = m.Ledger.Files(ctx, q); return err })
	return fs, err
}

type mortalViews struct {
	icebergview.Views
	life *life
}

func (m mortalViews) View(ctx context.Context, id uuid.UUID) (v ledger.View, err error) {
	err = m.life.call(func() error { v, err = m.Views.View(ctx, id); return err })
	return v, err
}

func (m mortalViews) MoveView(ctx context.Context, next ledger.View, from string) error {
	return m.life.call(func() error { return m.Views.MoveView(ctx, next, from) })
}

// TestCrash: whatever call is the last of a publisher that adds and removes files, the table is whole then, and shows what is
// live after the next look, with each snapshot made once.
func TestCrash(t *testing.T) {
	t.Parallel()
	tp, deaths := partitionOf(topic, 0), 0
	for _, after := range []bool{false, true} {
		for end := 1; ; end++ {
			w := inMemory()
			w.archive(t, tp, 10, some(0, 20, start())...)
			w.look(t)
			w.compact(t, time.Hour)
			w.archive(t, tp, 10, some(20, 10, start().Add(time.Hour))...)
			w.archive(t, partitionOf("events.new", 0), 10, some(0, 10, start())...)
			l := &life{end: end, after: after}
			err := w.publisher(t, l.mortal).Look(t.Context())
			if !l.dead {
				check(t, err)
				break
			}
			deaths++
			w.there(t, w.table(t, tp))
			w.look(t)
			if n := len(w.shows(t, tp).Metadata().Snapshots()); n != 2 {
				t.Errorf("%d snapshots after death at call %d", n, end)
			}
			if n := len(w.shows(t, partitionOf("events.new", 0)).Metadata().Snapshots()); n != 1 {
				t.Errorf("%d snapshots of a new table after death at call %d", n, end)
			}
		}
	}
	if deaths < 30 {
		t.Errorf("%d deaths: the test is void", deaths)
	}
}

// meeting lets publishers move views only once all of them want to.
type meeting struct {
	icebergview.Views
	all *sync.WaitGroup
}

func (m meeting) MoveView(ctx context.Context, next ledger.View, from string) error {
	m.all.Done()
	m.all.Wait()
	return m.Views.MoveView(ctx, next, from)
}

// TestRace: of publishers that publish the same at the same time one wins, be it that the table is new or not, that files come
// or go.
func TestRace(t *testing.T) {
	t.Parallel()
	w, tp := inPostgres(t), partitionOf(topic, 0)
	w.archive(t, tp, 10, some(0, 20, start())...)
	race := func() {
		t.Helper()
		var all, done sync.WaitGroup
		const rivals = 3
		all.Add(rivals)
		var stats [rivals]icebergview.Stats
		var errs [rivals]error
		for i := range rivals {
			p := w.publisher(t, func(c *icebergview.Config) { c.Views = meeting{c.Views, &all} })
			done.Go(func() {
				errs[i] = p.Look(t.Context())
				stats[i] = p.Stats()
			})
		}
		done.Wait()
		check(t, errors.Join(errs[:]...))
		beaten := int64(0)
		for _, s := range stats {
			beaten += s.Beaten
		}
		if beaten != rivals-1 {
			t.Errorf("%+v: want one that is not beaten", stats)
		}
	}
	w.look(t)
	for round := range int64(3) {
		w.archive(t, tp, 10, some(20+10*round, 10, start())...)
		race()
		if n := len(w.shows(t, tp).Metadata().Snapshots()); n != int(2+2*round) {
			t.Errorf("%d snapshots", n)
		}
		w.compact(t, time.Hour)
		race()
		w.shows(t, tp)
	}
}

// overtaken lets a rival do something before a view is read for the second time.
type overtaken struct {
	icebergview.Views
	rival func()
	calls int
}

func (o *overtaken) View(ctx context.Context, id uuid.UUID) (ledger.View, error) {
	if o.calls++; o.calls == 2 {
		o.rival()
	}
	return o.Views.View(ctx, id)
}

// TestOvertaken: a publisher that comes to commit when another has done so drops its snapshot, although nobody is in its way then.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	w, tp := inMemory(), partitionOf(topic, 0)
	w.archive(t, tp, 10, some(0, 20, start())...)
	w.look(t)
	for _, change := range []func(){
		func() { w.archive(t, tp, 10, some(20, 10, start())...) },
		func() { w.compact(t, time.Hour) },
	} {
		change()
		before := len(w.table(t, tp).Metadata().Snapshots())
		p := w.publisher(t, func(c *icebergview.Config) { c.Views = &overtaken{Views: c.Views, rival: func() { w.look(t) }} })
		check(t, p.Look(t.Context()))
		if s := p.Stats(); s.Beaten != 1 || s.Snapshots != 0 {
			t.Errorf("%+v", s)
		}
		if n := len(w.shows(t, tp).Metadata().Snapshots()); n != before+1 {
			t.Errorf("%d snapshots after %d", n, before)
		}
	}
}

// TestRest: however many publishers run, and however often something is new, a table gets a snapshot a minute at the most.
func TestRest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, tp := inMemory(), partitionOf(topic, 0)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 2 {
			p := w.publisher(t, nil)
			running.Go(func() {
				if err := p.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			<-time.After(25 * time.Second)
		}
		for i := range int64(60) {
			w.archive(t, tp, 10, some(10*i, 10, start())...)
			<-time.After(10 * time.Second)
		}
		cancel()
		running.Wait()
		all := w.table(t, tp).Metadata().Snapshots()
		for i := 1; i < len(all); i++ {
			if d := all[i].TimestampMs - all[i-1].TimestampMs; d < time.Minute.Milliseconds() {
				t.Errorf("%d ms between snapshots", d)
			}
		}
		if len(all) < 9 || len(all) > 11 {
			t.Errorf("%d snapshots in 10 minutes", len(all))
		}
	})
}

// TestRetain: snapshots go when they are old, also where nothing new comes, and with them what pins their files.
func TestRetain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, tp := inMemory(), partitionOf(topic, 0)
		ctx, cancel := context.WithCancel(t.Context())
		p, done := w.publisher(t, nil), make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		for i := range int64(3) {
			w.archive(t, tp, 10, some(10*i, 10, start())...)
			<-time.After(time.Hour)
		}
		<-time.After(30 * time.Second) // between two looks
		since := func() int64 { return must(w.views.View(t.Context(), tp.TopicID))(t).Since }
		if n := len(w.shows(t, tp).Metadata().Snapshots()); n != 3 || since() != 1 {
			t.Errorf("%d snapshots, step %d", n, since())
		}
		<-time.After(23 * time.Hour) // the first was replaced 25 hours ago, the second 24
		if n := len(w.shows(t, tp).Metadata().Snapshots()); n != 2 || since() != 2 {
			t.Errorf("%d snapshots, step %d", n, since())
		}
		<-time.After(2 * time.Hour)
		if n := len(w.shows(t, tp).Metadata().Snapshots()); n != 1 || since() != 3 {
			t.Errorf("%d snapshots, step %d", n, since())
		}
		cancel()
		check(t, <-done)
		if s := p.Stats(); s.Snapshots != 3 || s.Failures+s.Beaten > 0 {
			t.Errorf("%+v", s)
		}
	})
}
