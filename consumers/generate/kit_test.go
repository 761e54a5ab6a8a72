package generate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/consumers/generate"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// world is all that a generator works with, in memory; only the archive files are as the archiver writes them.
type world struct {
	bucket  *membucket.Bucket
	ledger  *ledgertest.Memory
	catalog *registrytest.Memory
	topic   uuid.UUID
	claims  map[int32]ledger.Claim
	flushes int
}

func newWorld() *world {
	return &world{
		bucket: membucket.New(), ledger: ledgertest.NewMemory(), catalog: registrytest.NewMemory(),
		topic: uuid.MustParse("6f1d3f6a-52a3-4a43-9a0e-0d3f5f1c2b11"), claims: map[int32]ledger.Claim{},
	}
}

func (w *world) config(t *testing.T, e generate.Engine) generate.Config {
	return generate.Config{
		Specs: w.catalog, Datasets: w.catalog, Ledger: w.ledger, Bucket: w.bucket, Publish: w.publish, Engine: e,
		CacheDir: t.TempDir(), Interval: 10 * time.Millisecond, Backoff: 10 * time.Millisecond,
	}
}

// publish registers with the real registry.
func (w *world) publish(ctx context.Context, m manifest.Dataset) (registry.Dataset, bool, error) {
	r, err := registry.New(registry.Config{Catalog: w.catalog, Store: cas.NewStore(w.bucket), Signer: noSigner{}})
	if err != nil {
		return registry.Dataset{}, false, err
	}
	return r.PublishDataset(ctx, m)
}

// noSigner is for a registry that hands out no requests.
type noSigner struct{ bucket.Signer }

func (w *world) declare(t *testing.T, name string, d spec.Dataset) {
	t.Helper()
	body, err := json.Marshal(d)
	check(t, err)
	body, err = manifest.Canonical(body)
	check(t, err)
	_, _, err = w.catalog.PutSpec(t.Context(), registry.Spec{Kind: spec.KindDataset, Name: name, Body: body, Digest: cas.Sum(body)})
	check(t, err)
}

// report is one event, as a producer sends it.
type report struct {
	typ, id        string
	time, recorded time.Time
	data           string
}

func (r report) record(offset int64, appended time.Time) events.Record {
	h := func(k, v string) events.RecordHeader { return events.RecordHeader{Key: k, Value: []byte(v)} }
	return events.Record{
		Offset: offset, AppendTime: appended, Value: []byte(r.data),
		Headers: []events.RecordHeader{
			h("ce_specversion", "1.0"), h("ce_id", r.id), h("ce_source", "/test"), h("ce_type", r.typ),
			h("ce_time", r.time.Format(time.RFC3339Nano)), h("ce_recordedtime", r.recorded.Format(time.RFC3339Nano)),
			h("content-type", "application/json"),
		},
	}
}

// archive makes one flush of a partition, complete up to appended, with one file for each type.
func (w *world) archive(t *testing.T, partition int32, appended time.Time, reports ...report) {
	t.Helper()
	c := w.claim(t, partition)
	f := ledger.Flush{
		Claim: c, Start: c.Next, End: c.Next + int64(len(reports)), Records: int64(len(reports)),
		Reason: ledger.ReasonAge, ArchivedThrough: appended,
	}
	writers := map[string]*segment.Writer{}
	for i, r := range reports {
		if writers[r.typ] == nil {
			writers[r.typ] = segment.NewWriter()
		}
		rec := r.record(c.Next+int64(i), appended)
		check(t, writers[r.typ].Append(partition, &rec))
		if r.recorded.After(f.EventTime) {
			f.EventTime = r.recorded
		}
	}
	for _, typ := range slices.Sorted(maps.Keys(writers)) {
		s, err := writers[typ].Close()
		check(t, err)
		w.flushes++
		key := fmt.Sprintf("archive/v1/%s/p%d-%d-%d.parquet", typ, partition, s.Start, w.flushes)
		_, err = w.bucket.Put(t.Context(), key, bytes.NewReader(s.Body), int64(len(s.Body)), bucket.PutOptions{CreateOnly: true})
		check(t, err)
		f.Files = append(f.Files, ledger.File{
			Key: key, Digest: s.Digest, Bytes: int64(len(s.Body)), Rows: s.Rows, Type: typ, Start: s.Start, End: s.End,
			MinTime: s.MinTime, MaxTime: s.MaxTime, MinSeen: s.MinSeen, MaxSeen: s.MaxSeen,
		})
	}
	_, err := w.ledger.Commit(t.Context(), f, nil)
	check(t, err)
	c.Next = f.End
	w.claims[partition] = c
}

// idle notes that a partition is complete up to appended with nothing new.
func (w *world) idle(t *testing.T, partition int32, appended time.Time) {
	t.Helper()
	check(t, w.ledger.Observe(t.Context(), w.claim(t, partition), appended, time.Time{}, true))
}

func (w *world) claim(t *testing.T, partition int32) ledger.Claim {
	t.Helper()
	c, ok := w.claims[partition]
	if !ok {
		var err error
		p := ledger.Partition{TopicID: w.topic, Topic: "events.flights", Partition: partition}
		c, err = w.ledger.Claim(t.Context(), p, "test")
		check(t, err)
		w.claims[partition] = c
	}
	return c
}

// datasets returns what is registered, by window end.
func (w *world) datasets(t *testing.T) []manifest.Dataset {
	t.Helper()
	all, err := w.catalog.ListDatasets(context.Background(), registry.DatasetFilter{})
	check(t, err)
	out := make([]manifest.Dataset, len(all))
	for i, d := range all {
		out[i], err = manifest.DecodeDataset(d.Manifest)
		check(t, err)
	}
	slices.SortStableFunc(out, func(a, b manifest.Dataset) int { return a.End.Compare(b.End) })
	return out
}

// announced returns the subjects of the outbox.
func (w *world) announced(t *testing.T) []string {
	t.Helper()
	evs, err := w.catalog.PendingEvents(context.Background())
	check(t, err)
	var out []string
	for _, ev := range evs {
		out = append(out, ev.Type()+" "+ev.Subject())
	}
	return out
}

// start runs a generator until the test or stop ends it.
func start(t *testing.T, cfg generate.Config) (g *generate.Generator, stop func()) {
	t.Helper()
	g, err := generate.New(cfg)
	check(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return g, stop
}

// eventually waits for a condition, at most half a minute.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still not: %s", what)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// day returns a moment n hours into the first day; broker time runs on another clock, as in a replay.
func day(hours float64) time.Time {
	return time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
}

func broker(minutes int) time.Time {
	return time.Date(2026, 3, 1, 12, minutes, 0, 0, time.UTC)
}

// flights is a spec with windows of 6 hours and labels that take up to 2.
func flights() spec.Dataset {
	return spec.Dataset{
		Window:    spec.Window{Start: day(0), Every: spec.Duration(6 * time.Hour)},
		Available: spec.AvailableRecorded,
		Sources: map[string]spec.Source{
			"departed": {Stream: "flights", Type: "flight.departed", Fields: map[string]string{"id": "string", "origin": "string"}},
			"arrived":  {Stream: "flights", Type: "flight.arrived", Fields: map[string]string{"id": "string", "delay": "number"}},
			"observed": {Stream: "flights", Type: "weather.observed", Fields: map[string]string{"origin": "string", "wind": "number"}},
		},
		Spine: spec.Spine{From: "departed", Select: map[string]string{"flight": "id", "origin": "origin"}, Key: []string{"flight"}},
		Features: []spec.Join{{From: "observed", Match: map[string]string{"origin": "origin"}, Select: map[string]string{"wind": "wind"},
			MaxAge: spec.Duration(3 * time.Hour)}},
		Label: &spec.Join{From: "arrived", Match: map[string]string{"id": "flight"}, Select: map[string]string{"late": "delay >= 15"},
			Maturity: spec.Duration(2 * time.Hour)},
	}
}

// hours returns what is published in the hours [from, to): a departure, its arrival an hour later, and the weather.
func hours(from, to int) []report {
	var out []report
	for h := from; h < to; h++ {
		id := fmt.Sprint("f", h)
		at := day(float64(h) + 0.5)
		out = append(out,
			report{"weather.observed", "w" + id, at.Add(-20 * time.Minute), at.Add(-10 * time.Minute), fmt.Sprintf(`{"origin":"EWR","wind":%d}`, h)},
			report{"flight.departed", "d" + id, at, at, fmt.Sprintf(`{"id":%q,"origin":"EWR"}`, id)},
			report{"flight.arrived", "a" + id, at.Add(time.Hour), at.Add(time.Hour + time.Minute), fmt.Sprintf(`{"id":%q,"delay":%d}`, id, h%4*10)},
		)
	}
	return out
}
