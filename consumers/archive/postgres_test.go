package archive_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// postgres is the real ledger with its outbox.
type postgres struct {
	*pgcatalog.Ledger
	catalog *pgcatalog.Catalog
}

func (p postgres) PendingEvents(ctx context.Context) ([]events.Event, error) {
	return p.catalog.PendingEvents(ctx)
}

// TestCrashesOnPostgres has archivers killed at calls spread over their work, each time another one going on, with the
// ledger that is used in earnest. Manifests must say what Postgres gives back, to the microsecond.
func TestCrashesOnPostgres(t *testing.T) {
	catalog := pgtest.New(t).Catalog
	w := world{postgres{catalog.Ledger(), catalog}, membucket.New()}
	tp := partitionOf("events.flights", 0)
	log, end := randomLog(rand.New(rand.NewPCG(9, 9)), 80)
	killed := 0
	for i := range 12 {
		ctx, cancel := context.WithCancel(t.Context())
		l := &life{kill: cancel, end: 3 + 2*i, after: i%2 == 0}
		feed(ctx, w.archiver(t, func(c *archive.Config) { c.MaxRows = 4; l.mortal(c) }), tp, log, end)
		cancel()
		if l.dead {
			killed++
		}
	}
	if killed < 5 {
		t.Fatalf("%d archivers killed: the test is void", killed)
	}
	feed(t.Context(), w.archiver(t, nil), tp, log, end)
	w.check(t, tp, log)
	w.whole(t)
	w.announced(t, tp)
	if s := w.state(t, tp); s.Next != end || !s.CaughtUp || s.EventTime.IsZero() {
		t.Errorf("%+v", s)
	}
}

// TestTypesThatPostgresRefuses: whoever can write to Kafka chooses the type of an event. One that Postgres cannot hold, or
// its index, must not stall the partition, and what was written must come back byte for byte.
func TestTypesThatPostgresRefuses(t *testing.T) {
	catalog := pgtest.New(t).Catalog
	w := world{postgres{catalog.Ledger(), catalog}, membucket.New()}
	tp := partitionOf("events.hostile", 0)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	noise := make([]byte, 6000) // does not compress below what an index takes
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = '!' + byte(rng.IntN('~'-'!'))
	}
	types := []string{"fine", "a\x00b", "\x00", "a\xffb", "\xed\xa0\x80", string(noise), "_other", strings.Repeat("ä", 512), "also.fine"}
	var log []events.Record
	for i, typ := range types {
		log = append(log, record(int64(i), typ, at))
	}
	nul := record(int64(len(log)), "", at)
	nul.Headers = []events.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}}
	nul.Value = []byte(`{"specversion":"1.0","id":"n","source":"/s","type":"a\u0000b"}`)
	log = append(log, nul)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	feed(ctx, w.archiver(t, nil), tp, log, int64(len(log)))
	if s := w.state(t, tp); s.Next != int64(len(log)) {
		t.Fatalf("archived up to %d of %d", s.Next, len(log))
	}
	w.check(t, tp, log)
	w.whole(t)
}
