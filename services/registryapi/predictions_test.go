package registryapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// predicted is a record as the data plane leaves it on the log.
func predicted(t *testing.T, offset int64, id uuid.UUID, pkg cas.Digest, at time.Time) events.Record {
	t.Helper()
	ev := must(events.New(events.TypePredictionMade, "/predict", id.String(), id.String(), at, events.PredictionMade{
		PredictionID: id.String(), Model: "flight-delay", Tag: "flight-delay/production", Generation: 3, Package: pkg.String(),
		Output: []byte(`{"late":0.5}`),
	}))(t)
	r := must(kafka.Encode(ev))(t)
	r.Offset, r.AppendTime = offset, at.UTC().Truncate(time.Millisecond)
	return r
}

// archived runs the archiver over records of one partition of the predictions' topic, which it flushes when it stops.
func (w *world) archived(partition int32, recs ...events.Record) {
	w.t.Helper()
	a := must(archive.New(archive.Config{Ledger: w.ledger, Bucket: w.bucket, Owner: "test", Source: "/test"}))(w.t)
	tp := events.TopicPartition{TopicID: uuid.NewSHA1(uuid.Nil, []byte("predictions")), Topic: events.TopicPredictions, Partition: partition}
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	must(a.Assigned(w.t.Context(), tp))(w.t)
	next := recs[len(recs)-1].Offset + 1
	if err := a.Records(w.t.Context(), tp, recs, next, next); err != nil {
		w.t.Fatal(err)
	}
	a.Revoked(w.t.Context(), tp)
	cancel()
	if err := <-done; err != nil {
		w.t.Fatal(err)
	}
}

func v7(t *testing.T) uuid.UUID {
	t.Helper()
	return must(uuid.NewV7())(t)
}

func TestPredictionLineage(t *testing.T) {
	w := newWorld(t)
	run, pkg := w.trained()
	ids := []uuid.UUID{v7(t), v7(t), v7(t), uuid.New()}
	now := time.Now()
	w.archived(0, predicted(t, 0, ids[0], pkg, now), predicted(t, 1, ids[1], pkg, now))
	w.archived(1, predicted(t, 0, v7(t), pkg, now), predicted(t, 7, ids[2], pkg, now), predicted(t, 8, ids[3], pkg, now))
	c := w.as(auth.Viewer)
	for i, want := range []struct {
		partition int32
		offset    int64
	}{{0, 0}, {0, 1}, {1, 7}, {1, 8}} {
		l := must(c.PredictionLineage(t.Context(), ids[i].String()))(t)
		p := l.Prediction
		if p.ID != ids[i].String() || p.Topic != events.TopicPredictions || p.Partition != want.partition || p.Offset != want.offset ||
			p.Package != pkg || p.Tag != "flight-delay/production" {
			t.Errorf("prediction %d: %+v", i, p)
		}
		if _, err := w.bucket.Stat(t.Context(), p.File); err != nil || !strings.HasPrefix(p.File, "archive/v1/topic=signalbox.predictions.") {
			t.Errorf("prediction %d is in %s: %v", i, p.File, err)
		}
		if l.Package.Run.ID != run.ID || l.Package.Dataset.ID != run.Dataset || len(l.Package.Sources) != 1 || l.Package.Sources[0].Start != 5 {
			t.Errorf("prediction %d: package %+v", i, l.Package)
		}
	}
	near := now.UTC().Format(time.RFC3339)
	get[any](t, w.do(w.tokens[auth.Viewer], "GET", "/v1/predictions/"+ids[3].String()+"/lineage?near="+near, ""), 200)
	w.refuses("long before it", refusal{auth.Viewer, "GET", "/v1/predictions/" + ids[0].String() + "/lineage?near=2020-01-01T00:00:00Z", "", nil, 404, "not_archived", ""})
}

func TestPredictionOfAPackageByHand(t *testing.T) {
	w := newWorld(t)
	pkg, id := w.publish("by hand"), v7(t)
	w.archived(0, predicted(t, 0, id, pkg, time.Now()))
	l := get[remote.PredictionLineage](t, w.do(w.tokens[auth.Viewer], "GET", "/v1/predictions/"+id.String()+"/lineage", ""), 200)
	if l.Package.ID != pkg || l.Package.Run != nil || l.Package.Dataset != nil || l.Package.Sources == nil || l.Prediction.Made.IsZero() || l.Prediction.Generation != 3 {
		t.Errorf("%+v", l)
	}
}

func TestPredictionRefused(t *testing.T) {
	w := newWorld(t)
	unknown, orphan := v7(t), v7(t)
	path := "/v1/predictions/" + unknown.String() + "/lineage"
	w.archived(0, predicted(t, 0, orphan, cas.Sum([]byte("no package")), time.Now()))
	for name, c := range map[string]refusal{
		"unknown":        {auth.Viewer, "GET", path, "", nil, 404, "not_archived", "not archived yet or unknown: try again in a few seconds"},
		"no id":          {auth.Viewer, "GET", "/v1/predictions/latest/lineage", "", nil, 400, "bad_prediction_id", ""},
		"another form":   {auth.Viewer, "GET", "/v1/predictions/" + strings.ToUpper(unknown.String()) + "/lineage", "", nil, 400, "bad_prediction_id", ""},
		"no time":        {auth.Viewer, "GET", path + "?near=noon", "", nil, 400, "bad_query", "near"},
		"unknown query":  {auth.Viewer, "GET", path + "?at=x", "", nil, 400, "bad_query", "at"},
		"may not":        {auth.Predictor, "GET", path, "", nil, 403, "forbidden", "archive.read"},
		"lost a package": {auth.Viewer, "GET", "/v1/predictions/" + orphan.String() + "/lineage", "", nil, 500, "internal", ""},
	} {
		w.refuses(name, c)
	}
	if a := w.do(w.tokens[auth.Viewer], "GET", path, ""); a.header.Get("Retry-After") != "2" {
		t.Errorf("%v", a.header)
	}
	if _, err := w.as(auth.Viewer).PredictionLineage(t.Context(), unknown.String()); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("client: %v", err)
	}
}

// broken is a bucket that has other bytes under one key, or none.
type broken struct {
	objects
	key  string
	gone bool
}

func (b *broken) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	if key != b.key {
		return b.objects.Get(ctx, key, r)
	}
	if b.gone {
		return nil, bucket.Attrs{}, bucket.ErrNotFound
	}
	return io.NopCloser(strings.NewReader("damage")), bucket.Attrs{}, nil
}

// A file that cannot be read hides nothing that is in another one, and makes no 404 of what may be in it.
func TestUnreadableFiles(t *testing.T) {
	b := &broken{}
	w := newWorld(t, func(c *Config) { b.objects, c.Bucket = c.Bucket, b })
	_, pkg := w.trained()
	first, second := v7(t), v7(t)
	at := time.Now()
	w.archived(0, predicted(t, 0, first, pkg, at))
	w.archived(1, predicted(t, 0, second, pkg, at.Add(time.Second)))
	b.key = must(w.as(auth.Viewer).PredictionLineage(t.Context(), first.String()))(t).Prediction.File
	for _, b.gone = range []bool{false, true} {
		must(w.as(auth.Viewer).PredictionLineage(t.Context(), second.String()))(t)
		w.refuses("gone "+strconv.FormatBool(b.gone), refusal{auth.Viewer, "GET", "/v1/predictions/" + first.String() + "/lineage", "", nil, http.StatusInternalServerError, "internal", ""})
	}
}

func TestSearchIsBounded(t *testing.T) {
	for name, change := range map[string]func(s *Server, size int64){
		"files": func(s *Server, _ int64) { s.cfg.SearchFiles = 1 },
		"bytes": func(s *Server, size int64) { s.cfg.SearchBytes = size },
	} {
		w := newWorld(t)
		_, pkg := w.trained()
		old, recent := uuid.New(), uuid.New()
		long := time.Now().Add(-48 * time.Hour)
		w.archived(0, predicted(t, 0, old, pkg, long))
		w.archived(1, predicted(t, 0, recent, pkg, time.Now()))
		files := must(w.ledger.Files(t.Context(), ledger.FileQuery{}))(t)
		change(w.server, max(files[0].Bytes, files[1].Bytes))
		path := func(id uuid.UUID) string { return "/v1/predictions/" + id.String() + "/lineage" }
		get[any](t, w.do(w.tokens[auth.Viewer], "GET", path(recent), ""), 200)
		w.refuses(name, refusal{auth.Viewer, "GET", path(old), "", nil, 404, "not_archived", "?near="})
		get[any](t, w.do(w.tokens[auth.Viewer], "GET", path(old)+"?near="+long.UTC().Format(time.RFC3339), ""), 200)
	}
}

func TestCandidates(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	w := newWorld(t)
	s := must(New(Config{Registry: w.reg, Ledger: w.ledger, Bucket: w.bucket, Topics: w.topics}))(t)
	claim := must(w.ledger.Claim(t.Context(), ledger.Partition{TopicID: uuid.New(), Topic: events.TopicPredictions}, "test"))(t)
	for i, f := range []struct {
		typ        string
		from, till time.Duration // of now
	}{
		{events.TypePredictionMade, -3 * time.Hour, -2 * time.Hour}, {events.TypePredictionMade, -time.Hour, -time.Second},
		{ledger.TypeMixed, 0, time.Minute}, {events.TypePredictionMade, 2 * time.Minute, 3 * time.Minute},
		{"other", 0, time.Minute}, {events.TypePredictionMade, 3 * time.Hour, 4 * time.Hour},
	} {
		claim.Next = int64(i)
		file := ledger.File{Key: fmt.Sprint(i), Digest: cas.Sum(nil), Type: f.typ, Start: int64(i), End: int64(i + 1), MinSeen: now.Add(f.from), MaxSeen: now.Add(f.till)}
		flush := ledger.Flush{Claim: claim, Start: int64(i), End: int64(i + 1), Records: 1, Reason: ledger.ReasonAge, Files: []ledger.File{file}}
		must(w.ledger.Commit(t.Context(), flush, nil))(t)
	}
	made := uuid.UUID{6: 0x70, 8: 0x80} // a version 7 of the time now
	for i, ms := 5, now.UnixMilli(); i >= 0; i, ms = i-1, ms>>8 {
		made[i] = byte(ms)
	}
	for name, c := range map[string]struct {
		id   uuid.UUID
		near time.Time
		want string
	}{
		"by the id":    {made, time.Time{}, "1 2 3"},
		"newest first": {uuid.New(), time.Time{}, "5 3 2 1 0"},
		"around":       {uuid.New(), now.Add(2 * time.Minute), "3 2 1"},
		"not the id's": {made, now.Add(-150 * time.Minute), "0"},
	} {
		var got []string
		for _, f := range must(s.candidates(t.Context(), c.id, c.near))(t) {
			got = append(got, f.Key)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}
