package archive_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

var errDown = errors.New("503 slow down")

// start is the append time of most records here.
func start() time.Time { return time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC) }

// faulty makes an archiver in w over a bucket that fails as told, which flushes every second record.
func faulty(t *testing.T, w world, faults ...buckettest.Fault) (*archive.Archiver, *buckettest.Faulty) {
	t.Helper()
	b := buckettest.NewFaulty(w.bucket, faults...)
	return w.archiver(t, func(c *archive.Config) { c.Bucket, c.MaxRows = b, 2 }), b
}

func TestBucketFaultsAreSatOut(t *testing.T) {
	tests := map[string][]buckettest.Fault{
		"files refused":             {{Op: buckettest.Put, Prefix: "archive/", Times: 7, Err: errDown}},
		"files' answers lost":       {{Op: buckettest.Put, Prefix: "archive/", Times: 2, Err: errDown, After: true}},
		"then nothing to compare":   {{Op: buckettest.Put, Prefix: "archive/", Err: errDown, After: true}, {Op: buckettest.Stat, Times: 3, Err: errDown}},
		"manifests refused":         {{Op: buckettest.Put, Prefix: "manifests/", Times: 7, Err: errDown}},
		"manifests' answers lost":   {{Op: buckettest.Put, Prefix: "manifests/", Times: 2, Err: errDown, After: true}},
		"checksum damaged on a way": {{Op: buckettest.Put, Times: 3, Err: bucket.ErrChecksum}},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			w, tp := newWorld(), partitionOf("events.flights", 0)
			recs := records("t", start(), 0, 1, 2, 3, 4)
			synctest.Test(t, func(t *testing.T) {
				a, _ := faulty(t, w, faults...)
				assign(t, a, tp)
				for _, r := range recs {
					deliver(t, a, tp, r)
				}
				a.Revoked(t.Context(), tp)
				if a.Stats().Retries == 0 {
					t.Error("no fault was met")
				}
			})
			assign(t, w.archiver(t, nil), tp) // the next owner writes a manifest that is still missing
			w.check(t, tp, recs)
			w.whole(t)
		})
	}
}

func TestNothingMovesWhileTheBucketIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp := newWorld(), partitionOf("events.flights", 0)
		a, _ := faulty(t, w, buckettest.Fault{Op: buckettest.Put, Times: -1, Err: errDown})
		assign(t, a, tp)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := a.Records(ctx, tp, records("t", start(), 0, 1, 2), 3, 3); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		if s := w.state(t, tp); s.Next != 0 || !s.ArchivedThrough.IsZero() {
			t.Errorf("the ledger moved: %+v", s)
		}
		if n := a.Stats().Retries; n < 300 || n > 1000 {
			t.Errorf("%d retries in an hour", n)
		}
		// Nothing more of this assignment, then the hand-off gives up in time.
		if err := a.Records(t.Context(), tp, records("t", start(), 3), 4, 4); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after an error: %v", err)
		}
		before := time.Now()
		a.Revoked(t.Context(), tp)
		if took := time.Since(before); took > 16*time.Second {
			t.Errorf("the hand-off took %s", took)
		}
		if s := a.Stats(); s.Buffered != 0 || s.Partitions != 0 {
			t.Errorf("left behind: %+v", s)
		}
	})
}

func TestInterruptedFlushGoesOnWithTheSameNames(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	recs := []events.Record{record(0, "a", start()), record(1, "b", start())}
	synctest.Test(t, func(t *testing.T) {
		// The first file is stored, the second one fails until the delivery is given up.
		a, b := faulty(t, w, buckettest.Fault{Op: buckettest.Put, Skip: 1, Times: 5, Err: errDown})
		assign(t, a, tp)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Records(ctx, tp, recs, 2, 2); err == nil {
			t.Fatal("delivered although the bucket is down")
		}
		a.Revoked(t.Context(), tp)
		stored := map[string]int{}
		for _, c := range b.Calls() {
			if c.Op == buckettest.Put && c.Err == nil {
				stored[c.Key]++
			}
		}
		if len(stored) != 3 {
			t.Errorf("stored %v, want two files and a manifest", stored)
		}
	})
	w.check(t, tp, recs)
	w.whole(t)
}

func TestConflictEndsTheAssignmentAndHeals(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	key := "archive/v1/topic=flights." + tp.ID()[:8] + "/type=t/date=2026-11-01/hour=09/p0-0-2-1.parquet"
	foreign := []byte("something else")
	if _, err := w.bucket.Put(t.Context(), key, bytes.NewReader(foreign), int64(len(foreign)), bucket.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	a, _ := faulty(t, w)
	assign(t, a, tp)
	recs := records("t", start(), 0, 1)
	if err := a.Records(t.Context(), tp, recs, 2, 2); !errors.Is(err, archive.ErrConflict) {
		t.Fatalf("got %v", err)
	}
	if s := a.Stats(); s.Conflicts != 1 || s.Buffered != 0 {
		t.Errorf("%+v", s)
	}
	assign(t, a, tp) // the tap does, after an error
	deliver(t, a, tp, recs...)
	w.check(t, tp, recs)
	w.whole(t)
}

func TestOlderOwnerIsFenced(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	old, young := w.archiver(t, nil), w.archiver(t, nil)
	recs := records("t", start(), 0, 1, 2)
	assign(t, old, tp)
	deliver(t, old, tp, recs[:2]...)
	assign(t, young, tp)
	deliver(t, young, tp, recs...)
	young.Revoked(t.Context(), tp)

	if _, err := old.Lost(t.Context(), tp, 9); !errors.Is(err, ledger.ErrFenced) {
		t.Fatalf("the older owner commits: %v", err)
	}
	if s := old.Stats(); s.Fenced != 1 || s.Buffered != 0 {
		t.Errorf("%+v", s)
	}
	if err := old.Records(t.Context(), tp, nil, 2, 2); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("afterwards: %v", err)
	}
	if next := assign(t, old, tp); next != 3 {
		t.Errorf("claims again at %d", next)
	}
	w.check(t, tp, recs)
	w.whole(t)
}

func TestIdleOwnerLearnsThatItIsFenced(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	old := w.archiver(t, nil)
	assign(t, old, tp)
	assign(t, w.archiver(t, nil), tp)
	if err := old.Records(t.Context(), tp, nil, 0, 0); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("got %v", err)
	}
}

func TestManifestIsWrittenByTheNextOwner(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a, _ := faulty(t, w, buckettest.Fault{Op: buckettest.Put, Prefix: "manifests/", Times: -1, Err: errDown})
	assign(t, a, tp)
	deliver(t, a, tp, records("t", start(), 0, 1)...)
	report, err := archive.Verify(t.Context(), w.ledger, w.bucket)
	if err != nil || len(report.Faults) != 1 {
		t.Fatalf("%+v, %v: want the manifest missing", report, err)
	}
	assign(t, w.archiver(t, nil), tp)
	w.whole(t)
}

func TestRunDrains(t *testing.T) {
	w, tp, other := newWorld(), partitionOf("events.flights", 0), partitionOf("events.flights", 1)
	recs := records("t", start(), 0, 1, 2)
	synctest.Test(t, func(t *testing.T) {
		a := w.archiver(t, nil)
		stop := run(t, a)
		for _, tp := range []events.TopicPartition{tp, other} {
			assign(t, a, tp)
			deliver(t, a, tp, recs...)
		}
		stop()
		if err := a.Records(t.Context(), tp, records("t", start(), 3), 4, 4); !errors.Is(err, archive.ErrStopped) {
			t.Errorf("records after the stop: %v", err)
		}
		if _, err := a.Assigned(t.Context(), tp); !errors.Is(err, archive.ErrStopped) {
			t.Errorf("assigned after the stop: %v", err)
		}
	})
	w.check(t, tp, recs)
	w.check(t, other, recs)
	w.whole(t)
}

func TestDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp := newWorld(), partitionOf("events.flights", 0)
		a, _ := faulty(t, w, buckettest.Fault{Op: buckettest.Put, Times: -1, Err: errDown})
		stop := run(t, a)
		assign(t, a, tp)
		deliver(t, a, tp, records("t", start(), 0)...)
		<-time.After(2 * time.Minute) // a flush for age is under way
		before := time.Now()
		stop()
		if took := time.Since(before); took != 15*time.Second {
			t.Errorf("the drain took %s", took)
		}
		if s := w.state(t, tp); s.Next != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// deafLedger loses the answers to its first calls of Commit.
type deafLedger struct {
	ledger.Ledger
	lose int
}

func (l *deafLedger) Commit(ctx context.Context, f ledger.Flush, seal func(int64) ([]events.Event, error)) (ledger.Flush, error) {
	f, err := l.Ledger.Commit(ctx, f, seal)
	if l.lose > 0 {
		l.lose--
		return ledger.Flush{}, errDown
	}
	return f, err
}

func TestLostAnswerOfACommit(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	recs := records("t", start(), 0, 1, 2, 3)
	synctest.Test(t, func(t *testing.T) {
		a := w.archiver(t, func(c *archive.Config) { c.Ledger, c.MaxRows = &deafLedger{w.ledger, 2}, 2 })
		assign(t, a, tp)
		for _, r := range recs {
			deliver(t, a, tp, r)
		}
		if s := a.Stats(); s.Retries != 2 || s.Fenced != 0 || s.Flushes != 2 {
			t.Errorf("%+v", s)
		}
		if evs, err := w.ledger.PendingEvents(t.Context()); err != nil || len(evs) != 2 {
			t.Errorf("%d events of two flushes, %v", len(evs), err)
		}
	})
	w.check(t, tp, recs)
	w.whole(t)
}
