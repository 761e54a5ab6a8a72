package inference

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// TestSwapsUnderLoad moves a tag 200 times while clients predict. No request fails; every answer is exactly what the
// package that it names computes, at the generation that pointed at that package; and no client sees the tag go back.
func TestSwapsUnderLoad(t *testing.T) {
	const swaps, clients = 200, 6
	w := newWorld(t)
	list := make([]built, 5)
	for i := range list {
		list[i] = build(t, fmt.Sprint("model ", i), nil)
	}
	w.add(list...)
	packageOf := func(generation int64) built { return list[int(generation*7)%len(list)] }
	w.move(production, 1, packageOf(1))
	s := w.start(t, w.config(t.TempDir()))
	s.serves(t, production, 1)

	var stop atomic.Bool
	var asked, generations atomic.Int64
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(c)))
			last := int64(0)
			for !stop.Load() {
				x := random.Float64()
				got, err := s.call(http.MethodPost, predictPath, fmt.Sprintf(`{"rows":[{"x":%v}]}`, x))
				asked.Add(1)
				if err != nil || got.status != http.StatusOK || len(got.Predictions) != 1 || got.Predictions[0].Probability == nil {
					t.Errorf("request failed: %v %d %s", err, got.status, got.body)
					return
				}
				want := packageOf(got.Generation)
				if got.Package != want.id || *got.Predictions[0].Probability != want.answer(x) {
					t.Errorf("generation %d: package %s answered %v, want %s and %v",
						got.Generation, got.Package, *got.Predictions[0].Probability, want.id, want.answer(x))
					return
				}
				if got.Generation < last {
					t.Errorf("generation %d after %d", got.Generation, last)
					return
				}
				if got.Generation > last {
					generations.Add(1)
				}
				last = got.Generation
			}
		})
	}
	for g := int64(2); g <= swaps+1; g++ {
		w.move(production, g, packageOf(g))
		s.serves(t, production, g)
	}
	stop.Store(true)
	wg.Wait()
	t.Logf("%d requests, %d swaps, %d loads, clients saw a new generation %d times", asked.Load(), swaps, w.engine.loads.Load(), generations.Load())
	if generations.Load() < swaps {
		t.Errorf("clients saw %d new generations: the load was no load", generations.Load())
	}
	s.stop()
	if loads, unloads := w.engine.loads.Load(), strings.Count(s.log.String(), "package unloaded"); int(loads) != unloads {
		t.Errorf("%d loads, %d unloads", loads, unloads)
	}
}

func TestCorruptedPackageIsRefused(t *testing.T) {
	w := newWorld(t)
	good, next := build(t, "good", nil), build(t, "next", nil)
	w.add(good, next)
	w.store(next, "model.txt", []byte("weights of nexT")) // one bit
	w.move(production, 1, good)
	s := w.start(t, w.config(t.TempDir()))
	s.serves(t, production, 1)
	w.move(production, 2, next)
	waitFor(t, "the refusal", func() bool { return s.Models()[0].Reason == "corrupt" })
	if m := s.Models()[0]; m.Generation != 1 || m.Wanted != 2 {
		t.Errorf("got %+v", m)
	}
	if got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`); got.Package != good.id || got.Generation != 1 {
		t.Errorf("got %+v", got)
	}
	log := s.log.String()
	for _, want := range []string{"tag not moved", next.id.String(), "model.txt", cas.Sum([]byte("weights of nexT")).String(), "refused=true"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if !s.Ready() {
		t.Error("a refused generation must not make the others unready")
	}
	w.store(next, "model.txt", next.files["model.txt"]) // repaired
	s.serves(t, production, 2)
	if m := s.Models()[0]; m.Wanted != 0 || m.Reason != "" {
		t.Errorf("got %+v", m)
	}
}

func TestBadPackagesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(files map[string][]byte)
		reason string
	}{
		"golden rows differ": {func(f map[string][]byte) {
			f["golden.jsonl"] = []byte(`{"input":{"x":1},"output":{"probability":0.5}}`)
		}, "refused"},
		"no golden rows":     {func(f map[string][]byte) { f["golden.jsonl"] = nil }, "refused"},
		"golden file absent": {func(f map[string][]byte) { delete(f, "golden.jsonl") }, "refused"},
		"another runtime": {func(f map[string][]byte) {
			f["signature.json"] = []byte(strings.NewReplacer(`"trees"`, `"python"`, `"lightgbm-text"`, `"python-pickle"`).Replace(string(f["signature.json"])))
		}, "refused"},
		"signature unreadable": {func(f map[string][]byte) { f["signature.json"] = []byte(`{}`) }, "refused"},
		"engine refuses":       {func(f map[string][]byte) { delete(f, "code/pre.txt") }, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			good, bad := build(t, "good", nil), build(t, "bad", c.change)
			w.add(good, bad)
			w.move(production, 1, good)
			s := w.start(t, w.config(t.TempDir()))
			s.serves(t, production, 1)
			w.move(production, 2, bad)
			waitFor(t, "the refusal", func() bool { return s.Models()[0].Reason == c.reason })
			s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`)
			w.move(production, 3, good)
			s.serves(t, production, 3)
		})
	}
}

// TestRestartNeverGoesBack restarts without registry and store, and with a registry that went back.
func TestRestartNeverGoesBack(t *testing.T) {
	w := newWorld(t)
	old, current := build(t, "old", nil), build(t, "current", nil)
	w.add(old, current)
	dir := t.TempDir()
	w.move(production, 4, old)
	s := w.start(t, w.config(dir))
	s.serves(t, production, 4)
	w.move(production, 5, current)
	s.serves(t, production, 5)
	s.stop()

	w.outage(true)
	w.mu.Lock()
	w.tags, w.whole = map[registry.Tag]registry.TagState{}, false
	w.mu.Unlock()
	s = w.start(t, w.config(dir))
	s.serves(t, production, 5)
	waitFor(t, "readiness", s.Ready)
	if got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`); got.Package != current.id || got.Generation != 5 {
		t.Errorf("got %+v", got)
	}
	s.stop()

	w.outage(false)
	w.mu.Lock()
	w.whole = true
	w.mu.Unlock()
	w.move(production, 3, old) // restored from a backup
	s = w.start(t, w.config(dir))
	s.serves(t, production, 5)
	w.move(production, 4, old)
	w.move(registry.Tag{Model: "flights", Name: "other"}, 1, old) // a move that is taken shows that the other was looked at
	s.serves(t, registry.Tag{Model: "flights", Name: "other"}, 1)
	if got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`); got.Generation != 5 {
		t.Errorf("went back to %d", got.Generation)
	}
}

// TestTheLastServedGenerationIsBetterThanNone restarts with a newer generation that cannot be loaded.
func TestTheLastServedGenerationIsBetterThanNone(t *testing.T) {
	w := newWorld(t)
	good, bad := build(t, "good", nil), build(t, "bad", nil)
	w.add(good, bad)
	w.store(bad, "model.txt", []byte("x"))
	dir := t.TempDir()
	w.move(production, 1, good)
	s := w.start(t, w.config(dir))
	s.serves(t, production, 1)
	s.stop()
	w.move(production, 2, bad)
	s = w.start(t, w.config(dir))
	s.serves(t, production, 1)
	waitFor(t, "the refusal", func() bool { return s.Models()[0].Wanted == 2 })
}

// TestCacheIsHashedAgain damages a file on disk between two runs.
func TestCacheIsHashedAgain(t *testing.T) {
	w := newWorld(t)
	p := build(t, "p", nil)
	w.add(p)
	dir := t.TempDir()
	w.move(production, 1, p)
	s := w.start(t, w.config(dir))
	s.serves(t, production, 1)
	s.stop()
	file := filepath.Join(dir, p.id.String(), "model.txt")
	if err := os.WriteFile(file, []byte("weights of q"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.outage(true)
	s = w.start(t, w.config(dir))
	waitFor(t, "the attempt", func() bool { return strings.Contains(s.log.String(), "tag not moved") })
	s.ask(t, http.StatusServiceUnavailable, predictPath, `{"rows":[{"x":1}]}`)
	w.outage(false)
	s.serves(t, production, 1)
	if b, err := os.ReadFile(file); err != nil || string(b) != "weights of p" {
		t.Errorf("cache has %q, %v", b, err)
	}
}

func TestRollbackLoadsNothing(t *testing.T) {
	w := newWorld(t)
	a, b := build(t, "a", nil), build(t, "b", nil)
	w.add(a, b)
	w.move(production, 1, a)
	s := w.start(t, w.config(t.TempDir()))
	s.serves(t, production, 1)
	w.move(production, 2, b)
	s.serves(t, production, 2)
	before := w.engine.loads.Load()
	w.outage(true)
	w.move(production, 3, a)
	s.serves(t, production, 3)
	if got := w.engine.loads.Load(); got != before {
		t.Errorf("%d loads for a rollback", got-before)
	}
}

// TestNoSwapWithoutTheTableOnDisk makes the table unwritable: a generation that is not on disk could be lost.
func TestNoSwapWithoutTheTableOnDisk(t *testing.T) {
	w := newWorld(t)
	a, b := build(t, "a", nil), build(t, "b", nil)
	w.add(a, b)
	dir := t.TempDir()
	w.move(production, 1, a)
	s := w.start(t, w.config(dir))
	s.serves(t, production, 1)
	block := filepath.Join(dir, tempPrefix+stateFile)
	if err := os.Mkdir(block, 0o700); err != nil {
		t.Fatal(err)
	}
	w.move(production, 2, b)
	waitFor(t, "the failure", func() bool { return strings.Contains(s.log.String(), "write served table") })
	if got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`); got.Generation != 1 {
		t.Errorf("generation %d is served and not on disk", got.Generation)
	}
	if err := os.Remove(block); err != nil {
		t.Fatal(err)
	}
	s.serves(t, production, 2)
}

func TestUnreadableTableStopsTheServer(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(`{"version":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(w.config(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), stateFile) {
		t.Errorf("got %v", err)
	}
}

// TestUnusedPackagesLeaveTheDisk wants only what is served, and what was served before, in the cache.
func TestUnusedPackagesLeaveTheDisk(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	s := w.start(t, w.config(dir))
	for g := int64(1); g <= 4; g++ {
		p := build(t, fmt.Sprint("p", g), nil)
		w.add(p)
		w.move(production, g, p)
		s.serves(t, production, g)
	}
	waitFor(t, "two packages on disk", func() bool {
		found, err := filepath.Glob(filepath.Join(dir, "*"+extManifest))
		return err == nil && len(found) == 2
	})
}
