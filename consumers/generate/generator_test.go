package generate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// scripted is an engine that writes the plan instead of running it: for tests of when what is built. What is in a
// dataset is tested with DuckDB.
type scripted struct {
	mu    sync.Mutex
	built []string // ends of windows, by attempt
	fail  func(attempt int) error
	wait  chan struct{} // if set, a build ends when it is closed or ctx ends
}

func (s *scripted) Build(ctx context.Context, r generate.Request) (generate.Result, error) {
	i := slices.IndexFunc(r.Plan.Statements, func(s string) bool { return strings.HasPrefix(s, `CREATE TEMP TABLE "spine"`) })
	_, end, _ := strings.Cut(r.Plan.Statements[i], "AND event_time < TIMESTAMPTZ '")
	s.mu.Lock()
	s.built = append(s.built, end[11:16])
	attempt := len(s.built)
	s.mu.Unlock()
	if s.wait != nil {
		select {
		case <-s.wait:
		case <-ctx.Done():
			return generate.Result{}, context.Cause(ctx)
		}
	}
	if s.fail != nil {
		if err := s.fail(attempt); err != nil {
			return generate.Result{}, err
		}
	}
	for _, in := range r.Plan.Inputs {
		if _, err := os.Stat(in); err != nil {
			return generate.Result{}, err
		}
	}
	rows := int64(1)
	if strings.HasPrefix(end, "2013-01-01 18:00") {
		rows = 0 // the third window of the tests has no labels
	}
	// Paths differ between caches; a real engine's output does not show them.
	part := []byte(fmt.Sprint(len(r.Plan.Inputs), r.Plan.Columns))
	if err := os.WriteFile(filepath.Join(r.Dir, "part-00000.parquet"), part, 0o600); err != nil {
		return generate.Result{}, err
	}
	var columns []manifest.Column
	for _, c := range r.Plan.Columns {
		columns = append(columns, manifest.Column{Name: c.Name, Type: manifest.String})
	}
	return generate.Result{
		Parts:   []generate.Part{{Name: "part-00000.parquet", Bytes: int64(len(part)), Rows: rows}},
		Columns: columns, Checks: generate.Checks{Rows: rows, SpineRows: 1},
	}, nil
}

func (s *scripted) attempts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.built)
}

func ends(ds []manifest.Dataset) []string {
	var out []string
	for _, d := range ds {
		out = append(out, d.End.Format("15:04"))
	}
	return out
}

func TestWindowsAreBuiltOnceAndInOrder(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 7)...) // up to 07:31: the first window needs 08:00
	e := &scripted{}
	_, stop := start(t, w.config(t, e))
	w.archive(t, 0, broker(2), hours(7, 15)...) // up to 15:31: windows 1 and 2
	eventually(t, "two datasets", func() bool { return len(w.datasets(t)) == 2 })
	w.archive(t, 0, broker(3), hours(15, 40)...) // 3 has no labels, 4 and more have
	eventually(t, "five datasets", func() bool { return len(w.datasets(t)) == 5 })
	stop()
	if got, want := e.attempts(), []string{"06:00", "12:00", "18:00", "00:00", "06:00", "12:00"}; !slices.Equal(got, want) {
		t.Errorf("built %v, want %v", got, want)
	}
	if got, want := ends(w.datasets(t)), []string{"06:00", "12:00", "00:00", "06:00", "12:00"}; !slices.Equal(got, want) {
		t.Errorf("registered %v, want %v", got, want)
	}
	if got := w.announced(t); len(got) != 5 || got[0] != "dev.signalbox.dataset.ready delays" {
		t.Errorf("announced %q, want dataset.ready five times", got)
	}

	again := &scripted{}
	_, stop = start(t, w.config(t, again))
	w.archive(t, 0, broker(4), hours(40, 46)...)
	eventually(t, "the next dataset after a restart", func() bool { return len(w.datasets(t)) == 6 })
	stop()
	if got, want := again.attempts(), []string{"18:00", "18:00"}; !slices.Equal(got, want) {
		t.Errorf("after the restart built %v, want only the window without rows and the new one", got)
	}
}

// In a replay one partition runs ahead of another by days of event time.
func TestSlowPartitionHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.declare(t, "delays", flights())
		w.idle(t, 1, broker(0))
		w.archive(t, 0, broker(2), hours(0, 15)...)
		e := &scripted{}
		_, stop := start(t, w.config(t, e))
		time.Sleep(time.Minute)
		w.archive(t, 1, broker(1), hours(0, 3)...)
		time.Sleep(time.Minute)
		if got := e.attempts(); len(got) != 0 {
			t.Errorf("built %v while partition 1 stood three hours into the day", got)
		}
		w.idle(t, 1, broker(3)) // it is complete beyond what partition 0 has: now that counts
		time.Sleep(time.Minute)
		for _, d := range w.datasets(t) {
			if n := len(d.Sources); n != 6 {
				t.Errorf("dataset to %s reads %d files, want 3 of each partition", d.End, n)
			}
		}
		if n := len(w.datasets(t)); n != 2 {
			t.Errorf("%d datasets, want 2", n)
		}
		stop()
	})
}

// Whatever fails, and however often: the same dataset, once.
func TestFailuresAnywhere(t *testing.T) {
	want := ""
	for _, stage := range []string{"none", "positions", "files", "fetch", "engine", "store", "stored, answer lost", "register", "registered, answer lost"} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld()
			w.declare(t, "delays", flights())
			w.archive(t, 0, broker(1), hours(0, 9)...)
			f := &faults{stage: stage, left: 3}
			cfg := w.config(t, &scripted{fail: func(int) error { return f.at("engine") }})
			cfg.Ledger, cfg.Bucket = faultyLedger{w.ledger, f}, faultyBucket{w.bucket, f}
			cfg.Publish = func(ctx context.Context, m manifest.Dataset) (registry.Dataset, bool, error) {
				if err := f.at("register"); err != nil {
					return registry.Dataset{}, false, err
				}
				d, created, err := w.publish(ctx, m)
				return d, created, errors.Join(err, f.at("registered, answer lost"))
			}
			_, stop := start(t, cfg)
			eventually(t, "a dataset", func() bool { return len(w.datasets(t)) == 1 })
			stop()
			got := w.datasets(t)
			if len(got) != 1 || len(w.announced(t)) != 1 {
				t.Fatalf("%d datasets, %d announced; want 1 of each", len(got), len(w.announced(t)))
			}
			if stage != "none" && f.left == 3 {
				t.Error("nothing failed")
			}
			b, err := got[0].Encode()
			check(t, err)
			if want == "" {
				want = string(b)
			}
			if string(b) != want {
				t.Errorf("another dataset than without this failure:\n%s\n%s", b, want)
			}
			if left, _ := filepath.Glob(filepath.Join(cfg.CacheDir, "build-*")); len(left) != 0 {
				t.Errorf("left behind %v", left)
			}
		})
	}
}

// faults lets the first calls of one stage fail.
type faults struct {
	stage string
	mu    sync.Mutex
	left  int
}

func (f *faults) at(stage string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if stage != f.stage || f.left == 0 {
		return nil
	}
	f.left--
	return errors.New("broken on purpose")
}

type faultyLedger struct {
	generate.Ledger
	*faults
}

func (l faultyLedger) Partitions(ctx context.Context, topic string) ([]ledger.PartitionState, error) {
	p, err := l.Ledger.Partitions(ctx, topic)
	return p, errors.Join(err, l.at("positions"))
}

func (l faultyLedger) Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error) {
	f, err := l.Ledger.Files(ctx, q)
	return f, errors.Join(err, l.at("files"))
}

type faultyBucket struct {
	bucket.Bucket
	*faults
}

// Get breaks off in the middle.
func (b faultyBucket) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	body, attrs, err := b.Bucket.Get(ctx, key, r)
	if fault := b.at("fetch"); err == nil && fault != nil {
		body = io.NopCloser(io.LimitReader(body, attrs.Size/2))
	}
	return body, attrs, err
}

func (b faultyBucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	if err := b.at("store"); err != nil {
		return bucket.Attrs{}, err
	}
	attrs, err := b.Bucket.Put(ctx, key, body, size, o)
	return attrs, errors.Join(err, b.at("stored, answer lost"))
}

func TestOneSpecDoesNotStopAnother(t *testing.T) {
	w := newWorld()
	broken := flights()
	broken.Spine.Where = "1) OR (1=1"
	w.declare(t, "aaa", broken)
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 9)...)
	start(t, w.config(t, &scripted{}))
	eventually(t, "the sound spec's dataset", func() bool { return len(w.datasets(t)) == 1 })
}

func TestChangedSpecRebuildsTheNewestWindow(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 15)...)
	e := &scripted{}
	start(t, w.config(t, e))
	eventually(t, "two datasets", func() bool { return len(w.datasets(t)) == 2 })
	changed := flights()
	changed.Spine.Select["airport"] = "upper(origin)"
	w.declare(t, "delays", changed)
	eventually(t, "a third dataset", func() bool { return len(w.datasets(t)) == 3 })
	if got, want := e.attempts(), []string{"06:00", "12:00", "12:00"}; !slices.Equal(got, want) {
		t.Errorf("built %v, want %v", got, want)
	}
}

func TestAnotherInstanceWasFaster(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 9)...)
	e := &scripted{wait: make(chan struct{})}
	start(t, w.config(t, e))
	eventually(t, "the slow instance builds", func() bool { return len(e.attempts()) == 1 })
	w.archive(t, 1, broker(1), hours(0, 1)...) // the other one sees more files: another plan
	start(t, w.config(t, &scripted{}))
	eventually(t, "a dataset", func() bool { return len(w.datasets(t)) == 1 })
	close(e.wait)
	w.archive(t, 0, broker(2), hours(9, 15)...)
	w.idle(t, 1, broker(2))
	eventually(t, "the next dataset", func() bool { return len(w.datasets(t)) == 2 })
	if got, want := ends(w.datasets(t)), []string{"06:00", "12:00"}; !slices.Equal(got, want) {
		t.Errorf("registered %v, want %v: one dataset for each window", got, want)
	}
}

// Time is virtual here, so an hour's pause costs nothing.
func TestHintsAndPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.declare(t, "delays", flights())
		e := &scripted{fail: func(attempt int) error {
			if attempt <= 3 {
				return &generate.EngineError{Kind: generate.KindMemory, Message: "not enough"}
			}
			return nil
		}}
		cfg := w.config(t, e)
		cfg.Interval, cfg.Backoff = time.Hour, 3*time.Hour
		g, stop := start(t, cfg)
		synctest.Wait()

		w.archive(t, 0, broker(1), hours(0, 9)...)
		sealed, err := events.New(events.TypeArchiveSealed, "/test", "flights", "1", time.Now(), events.ArchiveSealed{})
		check(t, err)
		check(t, g.Handle(t.Context(), sealed))
		synctest.Wait()
		if n := len(e.attempts()); n != 1 {
			t.Fatalf("%d builds right after the hint, want 1", n)
		}
		for range 5 {
			check(t, g.Handle(t.Context(), sealed))
			synctest.Wait()
		}
		if n := len(e.attempts()); n != 1 {
			t.Errorf("%d builds although the spec pauses, want 1", n)
		}
		began := time.Now()
		eventuallyVirtual(t, func() bool { return len(w.datasets(t)) == 1 })
		if waited := time.Since(began); waited < 21*time.Hour || waited > 24*time.Hour {
			t.Errorf("built after %s, want 3+6+12 hours without any further hint", waited)
		}
		stop()
	})
}

func eventuallyVirtual(t *testing.T, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for n := 0; !cond(); n++ {
		if n > 100*60 {
			t.Fatal("not within 100 hours")
		}
		<-tick.C
		synctest.Wait()
	}
}

func TestStopLetsABuildFinishWithinDrain(t *testing.T) {
	for name, finishes := range map[string]bool{"in time": true, "too late": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.declare(t, "delays", flights())
				w.archive(t, 0, broker(1), hours(0, 15)...)
				e := &scripted{wait: make(chan struct{})}
				cfg := w.config(t, e)
				cfg.Drain = time.Minute
				_, stop := start(t, cfg)
				synctest.Wait()
				time.AfterFunc(30*time.Second, func() {
					if finishes {
						close(e.wait)
					}
				})
				began := time.Now()
				stop()
				want, took := 0, time.Minute
				if finishes {
					want, took = 1, 30*time.Second
				}
				if got := len(w.datasets(t)); got != want || time.Since(began) != took {
					t.Errorf("%d datasets after %s; want %d after %s, and no second build", got, time.Since(began), want, took)
				}
			})
		})
	}
}

func TestBuildWindow(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	g, err := generate.New(w.config(t, &scripted{}))
	check(t, err)
	if _, err := g.BuildWindow(t.Context(), "delays", time.Time{}, time.Time{}, false); err == nil {
		t.Error("built the last settled window although none has settled")
	}
	w.archive(t, 0, broker(1), hours(0, 9)...)
	dry, err := g.BuildWindow(t.Context(), "delays", time.Time{}, time.Time{}, false)
	check(t, err)
	if len(w.datasets(t)) != 0 || dry.Manifest.Rows != 1 || !dry.Manifest.End.Equal(day(6)) {
		t.Errorf("dry run: %d datasets, manifest %+v", len(w.datasets(t)), dry.Manifest)
	}
	if _, err := w.bucket.Stat(t.Context(), dry.Manifest.Parts[0].Key); err == nil {
		t.Error("the dry run stored a part")
	}
	early, err := g.BuildWindow(t.Context(), "delays", day(1), day(9), true)
	check(t, err)
	if m := early.Manifest; !m.Start.Equal(day(1)) || !m.Watermark.Equal(day(9.5).Add(time.Minute)) {
		t.Errorf("window not yet settled: start %s, watermark %s; want that of the archive", m.Start, m.Watermark)
	}
	if got := w.datasets(t); len(got) != 1 || early.Dataset.ID.IsZero() {
		t.Errorf("%d datasets, id %s; want 1", len(got), early.Dataset.ID)
	}
	if _, err := g.BuildWindow(t.Context(), "nothing", day(1), day(9), true); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
}

func TestPartWithOtherBytesIsRefused(t *testing.T) {
	w := newWorld()
	w.declare(t, "delays", flights())
	w.archive(t, 0, broker(1), hours(0, 9)...)
	g, err := generate.New(w.config(t, &scripted{}))
	check(t, err)
	_, err = g.BuildWindow(t.Context(), "delays", time.Time{}, day(6), true)
	check(t, err)
	changed := &scripted{}
	cfg := w.config(t, engineFunc(func(ctx context.Context, r generate.Request) (generate.Result, error) {
		r.Plan.Columns = append(r.Plan.Columns, compile.Column{Name: "more"})
		return changed.Build(ctx, r)
	}))
	g, err = generate.New(cfg)
	check(t, err)
	if _, err = g.BuildWindow(t.Context(), "delays", time.Time{}, day(6), true); err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("err = %v, want a part that is stored with other bytes", err)
	}
}

type engineFunc func(context.Context, generate.Request) (generate.Result, error)

func (f engineFunc) Build(ctx context.Context, r generate.Request) (generate.Result, error) {
	return f(ctx, r)
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := generate.New(generate.Config{Memory: 1, Drain: -1})
	for _, want := range []string{"Specs", "Datasets", "Ledger", "Bucket", "Publish", "Engine", "CacheDir", "Memory", "duration"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want %s in it", err, want)
		}
	}
}
