package inference

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// serving is a world with one package at generation 7.
func serving(t *testing.T) (*running, built) {
	t.Helper()
	w := newWorld(t)
	p := build(t, "p", nil)
	w.add(p)
	w.move(production, 7, p)
	s := w.start(t, w.config(t.TempDir()))
	s.serves(t, production, 7)
	return s, p
}

func TestAnswer(t *testing.T) {
	s, p := serving(t)
	got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1.5},{"x":-2,"y":null}]}`)
	if got.Package != p.id || got.Generation != 7 || len(got.Predictions) != 2 || len(got.PredictionIDs) != 2 {
		t.Fatalf("got %s", got.body)
	}
	for i, x := range []float64{1.5, -2} {
		if *got.Predictions[i].Probability != p.answer(x) {
			t.Errorf("row %d: got %v, want %v", i, *got.Predictions[i].Probability, p.answer(x))
		}
		id, err := uuid.Parse(got.PredictionIDs[i])
		if err != nil || id.Version() != 7 {
			t.Errorf("prediction id %q", got.PredictionIDs[i])
		}
	}
	if got.PredictionIDs[0] == got.PredictionIDs[1] {
		t.Error("two predictions have one id")
	}
	if got := s.ask(t, http.StatusOK, predictPath, `{"rows":[]}`); got.Predictions == nil || len(got.Predictions) != 0 {
		t.Errorf("got %s", got.body)
	}
}

func TestRefusedRequests(t *testing.T) {
	s, _ := serving(t)
	row := func(n int) *int { return &n }
	for _, c := range []struct {
		name, path, body, code, feature string
		status                          int
		row                             *int
	}{
		{"missing feature", predictPath, `{"rows":[{"x":1},{"y":2}]}`, "missing_feature", "x", 422, row(1)},
		{"mistyped feature", predictPath, `{"rows":[{"x":"one"}]}`, "mistyped_feature", "x", 422, row(0)},
		{"unknown feature, strict", predictPath + "?strict=true", `{"rows":[{"x":1,"z":2}]}`, "unknown_feature", "z", 422, row(0)},
		{"feature twice", predictPath, `{"rows":[{"x":1,"x":2}]}`, "duplicate_feature", "x", 422, row(0)},
		{"no JSON", predictPath, `rows`, "malformed", "", 400, nil},
		{"too large", predictPath, `{"rows":[` + strings.Repeat(" ", MaxBody) + `]}`, "too_large", "", 413, nil},
		{"too many rows", predictPath, `{"rows":[{"x":1}` + strings.Repeat(`,{"x":1}`, runtime.MaxRows) + `]}`, "too_large", "", 413, nil},
		{"unknown tag", "/v1/predict/flights/canary", `{"rows":[]}`, "not_found", "", 404, nil},
		{"unknown model", "/v1/predict/trains/production", `{"rows":[]}`, "not_found", "", 404, nil},
		{"no name", "/v1/predict/flights/UPPER", `{"rows":[]}`, "not_found", "", 404, nil},
		{"bad generation", predictPath + "?min-generation=x", `{"rows":[]}`, "bad_query", "", 400, nil},
		{"no digest", "/v1/predict/flights/packages/sha256.x", `{"rows":[]}`, "not_found", "", 404, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := s.ask(t, c.status, c.path, c.body)
			if got.Code != c.code || got.Feature != c.feature || (got.Row == nil) != (c.row == nil) || c.row != nil && *got.Row != *c.row {
				t.Errorf("got %s", got.body)
			}
		})
	}
	if got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1,"z":2}]}`); len(got.Predictions) != 1 {
		t.Errorf("an unknown member must be ignored: %s", got.body)
	}
}

func TestMinGeneration(t *testing.T) {
	s, p := serving(t)
	for _, g := range []string{"1", "7"} {
		s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`, headerMinGeneration, g)
	}
	waits := make(chan reply, 2)
	for _, path := range []string{predictPath + "?min-generation=9", "/v1/predict/flights/fresh?min-generation=1"} {
		go func() {
			got, err := s.call(http.MethodPost, path, `{"rows":[{"x":1}]}`)
			if err != nil {
				t.Error(err)
			}
			waits <- got
		}()
	}
	s.world.move(production, 8, p)
	s.serves(t, production, 8)
	s.world.move(production, 9, p)
	s.world.move(registry.Tag{Model: "flights", Name: "fresh"}, 1, p)
	for range 2 {
		if got := <-waits; got.status != http.StatusOK || got.Generation != 9 && got.Generation != 1 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	}
	s.cfg.MinGenerationWait = 20 * time.Millisecond
	got := s.ask(t, http.StatusServiceUnavailable, predictPath, `{"rows":[{"x":1}]}`, headerMinGeneration, "10")
	if got.Code != "generation_not_served" || got.header.Get("Retry-After") != "1" || got.Generation != 9 {
		t.Errorf("got %v %s", got.header, got.body)
	}
}

func TestByDigest(t *testing.T) {
	s, tagged := serving(t)
	path := func(p built) string { return "/v1/predict/flights/packages/" + p.id.String() }
	var list []built
	for i := range s.cfg.MaxPinned + 2 {
		list = append(list, build(t, fmt.Sprint("d", i), nil))
	}
	s.world.add(list...)
	for _, p := range append(list, tagged) {
		got := s.ask(t, http.StatusOK, path(p), `{"rows":[{"x":3}]}`)
		if got.Package != p.id || *got.Predictions[0].Probability != p.answer(3) || strings.Contains(got.body, "generation") {
			t.Errorf("got %s", got.body)
		}
	}
	if n := len(s.keeper.table.Load().pinned); n != s.cfg.MaxPinned {
		t.Errorf("%d packages stay loaded, want %d", n, s.cfg.MaxPinned)
	}
	loads := s.world.engine.loads.Load()
	s.ask(t, http.StatusOK, path(list[len(list)-1]), `{"rows":[{"x":3}]}`)
	if s.world.engine.loads.Load() != loads {
		t.Error("a loaded package was loaded again")
	}
	s.ask(t, http.StatusNotFound, "/v1/predict/trains/packages/"+tagged.id.String(), `{"rows":[]}`)
	s.ask(t, http.StatusNotFound, "/v1/predict/flights/packages/"+cas.Sum([]byte("none")).String(), `{"rows":[]}`)
	bad := build(t, "bad", func(f map[string][]byte) { f["golden.jsonl"] = nil })
	s.world.add(bad)
	s.ask(t, http.StatusConflict, path(bad), `{"rows":[]}`)
	s.world.outage(true)
	other := build(t, "other", nil)
	if got := s.ask(t, http.StatusServiceUnavailable, path(other), `{"rows":[]}`); got.header.Get("Retry-After") == "" {
		t.Errorf("got %v", got.header)
	}
}

// TestConcurrentRequestsByDigestLoadOnce asks for one package from many clients at once.
func TestConcurrentRequestsByDigestLoadOnce(t *testing.T) {
	s, _ := serving(t)
	p := build(t, "many", nil)
	s.world.add(p)
	loads := s.world.engine.loads.Load()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			got, err := s.call(http.MethodPost, "/v1/predict/flights/packages/"+p.id.String(), `{"rows":[{"x":1}]}`)
			if err != nil || got.status != http.StatusOK {
				t.Errorf("got %d %s, %v", got.status, got.body, err)
			}
		})
	}
	wg.Wait()
	if n := s.world.engine.loads.Load() - loads; n != 1 {
		t.Errorf("%d loads", n)
	}
}

func TestArmsShareTheTraffic(t *testing.T) {
	w := newWorld(t)
	a, b := build(t, "a", nil), build(t, "b", nil)
	w.add(a, b)
	w.move(production, 1, a, b)
	s := w.start(t, w.config(t.TempDir()))
	s.serves(t, production, 1)
	seen := map[cas.Digest]int{}
	for k := range 400 {
		key := fmt.Sprint("user-", k)
		first := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`, headerKey, key)
		seen[first.Package]++
		if k < 20 {
			if again := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`, headerKey, key); again.Package != first.Package {
				t.Errorf("%s moved from one arm to the other", key)
			}
		}
	}
	if seen[a.id] < 140 || seen[b.id] < 140 {
		t.Errorf("arms of equal weight got %v", seen)
	}
}

func TestPredictionEvents(t *testing.T) {
	s, p := serving(t)
	ask := func(n int) ([]events.Event, reply) {
		t.Helper()
		before := len(s.world.events())
		got := s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1},{"x":2.50,"z":"private"}]}`, headerKey, "me",
			"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		waitFor(t, "the events", func() bool { return len(s.world.events()) == before+n })
		return s.world.events()[before:], got
	}
	evs, got := ask(2)
	for i, ev := range evs {
		var data events.PredictionMade
		if err := ev.DataAs(&data); err != nil {
			t.Fatal(err)
		}
		output, err := json.Marshal(map[string]float64{"probability": p.answer([]float64{1, 2.5}[i])})
		if err != nil {
			t.Fatal(err)
		}
		if ev.Type() != events.TypePredictionMade || ev.ID() != got.PredictionIDs[i] || ev.Subject() != ev.ID() || data.PredictionID != ev.ID() ||
			data.Model != "flights" || data.Tag != "flights/production" || data.Generation != 7 || data.Package != p.id.String() ||
			data.Key != "me" || string(data.Output) != string(output) || data.LatencyUS < 0 {
			t.Errorf("event %d: %s", i, ev)
		}
		if data.Inputs != nil {
			t.Errorf("inputs without leave: %s", data.Inputs)
		}
	}
	s.world.mu.Lock()
	s.world.policy = remote.Policy{LogInputs: true}
	s.world.mu.Unlock()
	s.keeper.refreshPolicies(t.Context())
	evs, _ = ask(2)
	var data events.PredictionMade
	if err := evs[1].DataAs(&data); err != nil || string(data.Inputs) != `{"x":2.50,"z":"private"}` {
		t.Errorf("got %s, %v", data.Inputs, err)
	}
}

// TestRequestsNeverWaitForEvents fills the journal: answers go on, events are dropped and counted.
func TestRequestsNeverWaitForEvents(t *testing.T) {
	met, err := newMetrics()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	j := newJournal(w.config("x").withDefaults(), met)
	sc := &scratch{out: []byte(`{"p":1}`), spans: [][2]int{{0, 7}}}
	a := &asked{pkg: &resident{}, begin: time.Now()}
	for range maxJournal + 100 {
		j.record(t.Context(), a, sc, make([]uuid.UUID, 1))
	}
	if len(j.queue) != maxJournal || j.rows.Load() != maxJournal {
		t.Errorf("%d answers, %d rows wait", len(j.queue), j.rows.Load())
	}
	big := make([]uuid.UUID, maxJournalRows)
	j.record(t.Context(), a, sc, big)
	if j.rows.Load() != maxJournal {
		t.Errorf("%d rows wait", j.rows.Load())
	}
	over := make(chan struct{})
	close(over)
	j.cfg.Drain = 20 * time.Second
	j.run(over)
	if len(w.events()) != maxJournal || j.rows.Load() != 0 || j.bytes.Load() != 0 {
		t.Errorf("%d events, %d rows and %d bytes left", len(w.events()), j.rows.Load(), j.bytes.Load())
	}
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 1, time.Second)
		if err := g.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		waited := make(chan error, 1)
		go func() { waited <- g.enter(t.Context()) }()
		synctest.Wait()
		if err := g.enter(t.Context()); !errors.Is(err, errBusy) {
			t.Errorf("a third: %v, want errBusy at once", err)
		}
		g.leave()
		if err := <-waited; err != nil {
			t.Errorf("the one that waited: %v", err)
		}
		begin := time.Now()
		if err := g.enter(t.Context()); !errors.Is(err, errBusy) || time.Since(begin) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(begin))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOverloadIsSaidSo(t *testing.T) {
	s, _ := serving(t)
	for range cap(s.gate.in) {
		if err := s.gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.gate.wait = time.Millisecond
	got := s.ask(t, http.StatusServiceUnavailable, predictPath, `{"rows":[{"x":1}]}`)
	if got.Code != "overloaded" || got.header.Get("Retry-After") != "1" {
		t.Errorf("got %v %s", got.header, got.body)
	}
	s.gate.leave()
	s.ask(t, http.StatusOK, predictPath, `{"rows":[{"x":1}]}`)
}

func TestReadiness(t *testing.T) {
	w := newWorld(t)
	p := build(t, "p", nil)
	w.move(production, 1, p) // not published yet: refused as absent
	w.whole = false
	s := w.start(t, w.config(t.TempDir()))
	waitFor(t, "the refusal", func() bool { m := s.Models(); return len(m) == 1 && m[0].Reason == "not_found" })
	if s.Ready() {
		t.Error("ready before the tags were read whole")
	}
	if got := s.ask(t, http.StatusServiceUnavailable, "/v1/predict/flights/other", `{"rows":[]}`); got.Code != "not_loaded" {
		t.Errorf("got %s", got.body)
	}
	w.mu.Lock()
	w.whole = true
	w.mu.Unlock()
	w.changed <- struct{}{}
	waitFor(t, "readiness", s.Ready)
	w.add(p)
	s.serves(t, production, 1)
}

func TestModelsAndProtocol(t *testing.T) {
	s, p := serving(t)
	get := func(status int, path string) string {
		t.Helper()
		got, err := s.call(http.MethodGet, path, "")
		if err != nil || got.status != status {
			t.Fatalf("GET %s: %d %s, %v; want %d", path, got.status, got.body, err, status)
		}
		return strings.TrimSpace(got.body)
	}
	for _, c := range []struct {
		status     int
		path, want string
	}{
		{200, "/v1/models", `"tag":"flights/production","generation":7,"arms":[{"package":"` + p.id.String() + `","weight":10000,"runtime":"trees"`},
		{200, "/v2/health/live", `{"live":true}`},
		{200, "/v2/health/ready", `{"ready":true}`},
		{200, "/v2", `"name":"signalbox"`},
		{200, "/v2/models/flights", `"versions":["production"]`},
		{200, "/v2/models/flights/versions/production", `"inputs":[{"name":"x","datatype":"FP64","shape":[-1,1]}`},
		{200, "/v2/models/flights/versions/production/ready", `{"ready":true}`},
		{200, "/v2/models/flights/ready", `{"ready":true}`},
		{404, "/v2/models/trains", `not_found`},
		{404, "/v2/models/flights/versions/canary/ready", `not_found`},
	} {
		if got := get(c.status, c.path); !strings.Contains(got, c.want) {
			t.Errorf("GET %s: %s, want %s", c.path, got, c.want)
		}
	}
}

func TestScore(t *testing.T) {
	w := newWorld(t)
	p, bad := build(t, "p", nil), build(t, "bad", func(f map[string][]byte) { f["golden.jsonl"] = nil })
	w.add(p, bad)
	cfg := w.config(t.TempDir())
	l, err := NewLoader(cfg.LoaderConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	var rows [][]byte
	var want []float64
	for i := range 2500 {
		rows = append(rows, fmt.Appendf(nil, `{"x":%d}`, i))
		want = append(want, p.answer(float64(i)))
	}
	got, tolerance, err := l.Score(t.Context(), p.id, rows, "")
	if err != nil || !slices.Equal(got, want) || tolerance != 1e-12 {
		t.Errorf("got %d scores, %v, %v", len(got), tolerance, err)
	}
	for name, try := range map[string]func() error{
		"no such output": func() error { _, _, err := l.Score(t.Context(), p.id, rows, "other"); return err },
		"other inputs":   func() error { _, _, err := l.Score(t.Context(), p.id, [][]byte{[]byte(`{"y":1}`)}, ""); return err },
		"bad package":    func() error { _, _, err := l.Score(t.Context(), bad.id, rows, ""); return err },
		"no package":     func() error { _, _, err := l.Score(t.Context(), cas.Sum(nil), rows, ""); return err },
	} {
		if err := try(); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: got %v, want ErrRefused", name, err)
		}
	}
	w.outage(true)
	if _, _, err := l.Score(t.Context(), cas.Sum([]byte("x")), rows, ""); err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("an outage is no refusal: %v", err)
	}
}

func TestConfigFaultsAreListed(t *testing.T) {
	_, err := New(Config{Concurrency: -1, Queue: -1, MaxInFlight: -1, MaxPinned: -1, Drain: -1})
	for _, want := range []string{"Dir", "Tags", "Concurrency", "Queue", "MaxInFlight", "MaxPinned", "duration"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s named", err, want)
		}
	}
}

// FuzzAppendNumber compares with encoding/json.
func FuzzAppendNumber(f *testing.F) {
	for _, v := range []float64{0, math.Copysign(0, -1), 1, 0.1, 1e-7, 1e-6, 1e21, 1e20, 1e-300, math.MaxFloat64, 1.5e-9, -2.25e-10} {
		f.Add(math.Float64bits(v))
	}
	o := output{kind: "number"}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		want, err := json.Marshal(v)
		if err != nil {
			want = []byte("null")
		}
		if got := o.append(nil, v, ""); string(got) != string(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
