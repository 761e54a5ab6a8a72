package archive_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

func TestNewListsAllFaults(t *testing.T) {
	_, err := archive.New(archive.Config{MaxBytes: -1, Drain: -1})
	for _, want := range []string{"Ledger", "Bucket", "Owner", "Source", "MaxBytes", "Drain"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestFlushAtSizeRowsAndHour(t *testing.T) {
	tp := partitionOf("events.flights", 2)
	nine := time.Date(2026, 11, 1, 9, 59, 0, 0, time.UTC)
	tests := []struct {
		name   string
		change func(*archive.Config)
		recs   []events.Record
		reason string
		ends   []int64
	}{
		{"rows", func(c *archive.Config) { c.MaxRows = 2 }, records("t", nine, 0, 1, 2, 3, 4), ledger.ReasonSize, []int64{2, 4}},
		{"bytes", func(c *archive.Config) { c.MaxBytes = 1 }, records("t", nine, 0, 5), ledger.ReasonSize, []int64{1, 6}},
		{"hour", nil, append(records("t", nine, 0, 1), records("t", nine.Add(time.Hour), 2)...), ledger.ReasonHour, []int64{2}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld()
			a := w.archiver(t, tc.change)
			assign(t, a, tp)
			deliver(t, a, tp, tc.recs...)
			var ends []int64
			for _, f := range w.flushes(t, tp) {
				ends = append(ends, f.End)
				if f.Reason != tc.reason {
					t.Errorf("flush [%d, %d) because of %s", f.Start, f.End, f.Reason)
				}
			}
			if !slices.Equal(ends, tc.ends) {
				t.Errorf("flushes end at %v, want %v", ends, tc.ends)
			}
			a.Revoked(t.Context(), tp)
			w.check(t, tp, tc.recs)
			w.whole(t)
		})
	}
}

func TestFlushAtAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp := newWorld(), partitionOf("events.flights", 0)
		a := w.archiver(t, func(c *archive.Config) { c.MaxAge = 4 * time.Second })
		defer run(t, a)()
		assign(t, a, tp)
		recs := records("t", time.Now().Add(-time.Minute), 0, 1)
		deliver(t, a, tp, recs...)
		<-time.After(3999 * time.Millisecond)
		if n := len(w.flushes(t, tp)); n != 0 {
			t.Fatalf("%d flushes before MaxAge", n)
		}
		<-time.After(1001 * time.Millisecond) // the archiver looks four times per MaxAge
		synctest.Wait()
		fs := w.flushes(t, tp)
		if len(fs) != 1 || fs[0].Reason != ledger.ReasonAge || fs[0].End != 2 {
			t.Fatalf("got %+v", fs)
		}
		if fs[0].CaughtUp || !fs[0].ArchivedThrough.Equal(recs[1].AppendTime) {
			t.Errorf("complete through %s, caught up %t: the end that came with records is no news", fs[0].ArchivedThrough, fs[0].CaughtUp)
		}
	})
}

func TestIdlePartitionAdvances(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp := newWorld(), partitionOf("events.flights", 0)
		a := w.archiver(t, func(c *archive.Config) { c.MaxAge, c.Skew = time.Second, 2*time.Second })
		assign(t, a, tp)
		seen := time.Now().Add(-time.Minute)
		deliver(t, a, tp, record(0, "t", seen, "ce_recordedtime", "1999-01-01T00:00:00Z"))
		tell(t, a, tp, 1)
		if s := w.state(t, tp); s.Next != 0 || s.CaughtUp {
			t.Errorf("with a record in memory the ledger says %+v", s)
		}
		<-time.After(time.Second)
		told := time.Now()
		tell(t, a, tp, 1)
		s := w.state(t, tp)
		if s.Next != 1 || !s.CaughtUp || !s.ArchivedThrough.Equal(told.Add(-2*time.Second)) || s.EventTime.Year() != 1999 {
			t.Errorf("after the flush: %+v", s)
		}
		<-time.After(time.Second)
		tell(t, a, tp, 1)
		<-time.After(time.Second / 2)
		tell(t, a, tp, 1) // too soon after the one before
		if s := w.state(t, tp); !s.ArchivedThrough.Equal(told.Add(-time.Second)) || !s.CaughtUp || s.EventTime.Year() != 1999 {
			t.Errorf("idle: %+v", s)
		}
		// Not idle: more is to come.
		<-time.After(time.Minute)
		if err := a.Records(t.Context(), tp, nil, 1, 5); err != nil {
			t.Fatal(err)
		}
		if s := w.state(t, tp); !s.ArchivedThrough.Equal(told.Add(-time.Second)) {
			t.Errorf("advanced to %s although it was behind", s.ArchivedThrough)
		}
	})
}

// The news that nothing is behind a partition is as old as when it was told, however long it waited for a flush.
func TestIdleNewsAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp := newWorld(), partitionOf("events.flights", 0)
		a := w.archiver(t, func(c *archive.Config) {
			c.MaxAge, c.Skew, c.Bucket = time.Second, 2*time.Second, slowBucket{c.Bucket, time.Minute}
		})
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() { _ = a.Run(ctx) })
		assign(t, a, tp)
		deliver(t, a, tp, record(0, "t", time.Now(), "ce_time", "2026-11-01T00:00:00Z"))
		<-time.After(10 * time.Second) // the flush is at work
		told := time.Now()
		tell(t, a, tp, 1)
		if waited := time.Since(told); waited < 30*time.Second {
			t.Fatalf("waited %s for the flush, so nothing was shown", waited)
		}
		if s := w.state(t, tp); s.Next != 1 || s.ArchivedThrough.After(told.Add(-2*time.Second)) {
			t.Errorf("told at %s, the ledger says %+v", told, s)
		}
		stop()
		run.Wait()
	})
}

// slowBucket takes its time for each object.
type slowBucket struct {
	bucket.Bucket
	takes time.Duration
}

func (b slowBucket) Put(ctx context.Context, key string, body io.ReadSeeker, size int64, o bucket.PutOptions) (bucket.Attrs, error) {
	select {
	case <-time.After(b.takes / 2):
	case <-ctx.Done():
		return bucket.Attrs{}, context.Cause(ctx)
	}
	return b.Bucket.Put(ctx, key, body, size, o)
}

func TestEventTimeSurvivesARestart(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	for i, recorded := range []string{"2013-05-05T00:00:00Z", "2013-04-04T00:00:00Z"} {
		a := w.archiver(t, nil)
		if start := assign(t, a, tp); start != int64(i) {
			t.Fatalf("starts at %d, want %d", start, i)
		}
		deliver(t, a, tp, record(int64(i), "t", at, "ce_recordedtime", recorded))
		a.Revoked(t.Context(), tp)
	}
	for _, f := range w.flushes(t, tp) {
		if !f.EventTime.Equal(time.Date(2013, 5, 5, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("flush [%d, %d) has event time %s", f.Start, f.End, f.EventTime)
		}
	}
}

func TestGapsAreFlushedWithoutFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp := newWorld(), partitionOf("events.flights", 0)
		a := w.archiver(t, func(c *archive.Config) { c.MaxAge = time.Second })
		defer run(t, a)()
		assign(t, a, tp)
		tell(t, a, tp, 7) // control records only
		<-time.After(2 * time.Second)
		tell(t, a, tp, 7)
		if s := w.state(t, tp); s.Next != 7 || !s.CaughtUp {
			t.Errorf("%+v", s)
		}
		if fs := w.flushes(t, tp); len(fs) != 1 || len(fs[0].Files) != 0 || fs[0].Records != 0 {
			t.Errorf("%+v", fs)
		}
		w.whole(t)
	})
}

func TestSealedEvent(t *testing.T) {
	w := newWorld()
	a := w.archiver(t, nil)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	flights, quiet := partitionOf("events.flights", 3), partitionOf(events.TopicArchive, 0)
	for _, tp := range []events.TopicPartition{flights, quiet} {
		assign(t, a, tp)
		deliver(t, a, tp, record(0, "b", at), record(2, "a", at))
		a.Revoked(t.Context(), tp)
	}
	evs, err := w.ledger.PendingEvents(t.Context())
	if err != nil || len(evs) != 1 {
		t.Fatalf("%d events, %v: want one, the archive's own topic must not feed itself", len(evs), err)
	}
	var got events.ArchiveSealed
	if err := json.Unmarshal(evs[0].Data(), &got); err != nil {
		t.Fatal(err)
	}
	f := w.flushes(t, flights)[0]
	want := events.ArchiveSealed{Stream: "flights", Topic: "events.flights", TopicID: flights.ID(), Partition: 3, Start: 0, End: 3, Records: 2,
		ArchivedThrough: at, Seq: f.Seq}
	for _, file := range f.Files {
		want.Files = append(want.Files, events.SealedFile{Key: file.Key, SHA256: file.Digest.String(), Type: file.Type, Rows: 1,
			Bytes: file.Bytes, Start: file.Start, End: file.End})
	}
	if g, w := toJSON(t, got), toJSON(t, want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if evs[0].Type() != events.TypeArchiveSealed || evs[0].Subject() != "flights" || evs[0].Source() != "/test" {
		t.Errorf("got %s", evs[0])
	}
	if len(w.flushes(t, quiet)) != 1 {
		t.Error("the archive's own topic was not archived")
	}
}

func TestLostToRetention(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a := w.archiver(t, nil)
	assign(t, a, tp)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	before, after := records("t", at, 0, 1), records("t", at, 10, 11)
	deliver(t, a, tp, before...)
	start, err := a.Lost(t.Context(), tp, 10)
	if err != nil || start != 10 {
		t.Fatalf("goes on at %d, %v", start, err)
	}
	if start, err := a.Lost(t.Context(), tp, 4); err != nil || start != 10 {
		t.Errorf("where nothing was lost it goes on at %d, %v", start, err)
	}
	deliver(t, a, tp, after...)
	a.Revoked(t.Context(), tp)
	fs := w.flushes(t, tp)
	if len(fs) != 3 || fs[1].Reason != ledger.ReasonLost || fs[1].Start != 2 || fs[1].End != 10 || len(fs[1].Files) != 0 || fs[1].CaughtUp {
		t.Errorf("got %+v", fs)
	}
	w.check(t, tp, append(before, after...))
	if report := w.whole(t); report.Lost != 8 || a.Stats().Lost != 8 {
		t.Errorf("%d lost in the report, %d counted", report.Lost, a.Stats().Lost)
	}
}

func TestDeliveryOutOfOrderEndsTheAssignment(t *testing.T) {
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	for name, bad := range map[string]struct {
		recs []events.Record
		next int64
	}{
		"again":     {records("t", at, 1), 2},
		"backwards": {records("t", at, 3, 2), 4},
		"next":      {records("t", at, 2), 2},
		"rewind":    {nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w, tp := newWorld(), partitionOf("events.flights", 0)
			a := w.archiver(t, nil)
			assign(t, a, tp)
			good := records("t", at, 0, 1)
			deliver(t, a, tp, good...)
			if err := a.Records(t.Context(), tp, bad.recs, bad.next, bad.next); !errors.Is(err, archive.ErrDelivery) {
				t.Fatalf("got %v", err)
			}
			// What follows might hide a loss as a gap.
			if err := a.Records(t.Context(), tp, records("t", at, 9), 10, 10); !errors.Is(err, archive.ErrDelivery) {
				t.Fatalf("afterwards: %v", err)
			}
			a.Revoked(t.Context(), tp)
			w.check(t, tp, good)
		})
	}
}

func TestNotAssigned(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a := w.archiver(t, nil)
	if err := a.Records(t.Context(), tp, nil, 0, 0); !errors.Is(err, archive.ErrNotAssigned) {
		t.Errorf("records: %v", err)
	}
	if _, err := a.Lost(t.Context(), tp, 4); !errors.Is(err, archive.ErrNotAssigned) {
		t.Errorf("lost: %v", err)
	}
	a.Revoked(t.Context(), tp)
	assign(t, a, tp)
	a.Revoked(t.Context(), tp)
	if err := a.Records(t.Context(), tp, nil, 0, 0); !errors.Is(err, archive.ErrNotAssigned) {
		t.Errorf("after it was revoked: %v", err)
	}
}

func TestTopicMadeAgainIsAnotherChain(t *testing.T) {
	w := newWorld()
	a := w.archiver(t, nil)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	old, again := partitionOf("events.flights", 0), partitionOf("events.flights", 0)
	again.TopicID[0]++
	for _, tp := range []events.TopicPartition{old, again} {
		if start := assign(t, a, tp); start != 0 {
			t.Fatalf("%x starts at %d", tp.TopicID, start)
		}
		deliver(t, a, tp, records("t", at, 0, 1)...)
		a.Revoked(t.Context(), tp)
		w.check(t, tp, records("t", at, 0, 1))
	}
	w.whole(t)
}

func toJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
