package archive_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
)

// TestClockAhead: this machine's clock is an hour ahead of a broker's, so an idle partition was said to be complete for an hour to
// come. The first record tells, and from then on nothing of the kind is said, of no partition.
func TestClockAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, tp, other := newWorld(), partitionOf("events.flights", 0), partitionOf("events.flights", 1)
		a := w.archiver(t, func(c *archive.Config) { c.MaxAge, c.Skew = time.Second, 2*time.Second })
		assign(t, a, tp)
		assign(t, a, other)
		tell(t, a, tp, 0)
		if s := w.state(t, tp); !s.ArchivedThrough.Equal(time.Now().Add(-2 * time.Second)) {
			t.Fatalf("not noted: %+v", s)
		}
		deliver(t, a, tp, record(0, "t", time.Now().Add(-time.Hour)), record(1, "t", time.Now().Add(-time.Hour)))
		if s := a.Stats(); s.Late != 2 {
			t.Errorf("%d records late", s.Late)
		}
		tell(t, a, other, 0)
		if s := w.state(t, other); !s.ArchivedThrough.Equal(time.Now().Add(-time.Hour)) {
			t.Errorf("now %s, and complete up to %s", time.Now(), s.ArchivedThrough)
		}
	})
}

// TestRecordedInTheFuture: what a producer says cannot make an event available after it was there, or every window up to then
// would count as complete.
func TestRecordedInTheFuture(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a := w.archiver(t, nil)
	assign(t, a, tp)
	deliver(t, a, tp, record(0, "t", start(), "ce_recordedtime", "9999-01-01T00:00:00Z"), record(1, "u", start(), "ce_recordedtime", "9999-12-31T23:59:59-23:59"))
	a.Revoked(t.Context(), tp)
	if s := w.state(t, tp); !s.EventTime.Equal(start()) || s.Next != 2 {
		t.Errorf("%+v", s)
	}
	w.whole(t)
}

// TestTailsBesideABrokenOne: a manifest that cannot be written does not keep another one from being written.
func TestTailsBesideABrokenOne(t *testing.T) {
	w, first, second := newWorld(), partitionOf("events.gone", 0), partitionOf("events.gone", 1)
	synctest.Test(t, func(t *testing.T) {
		dead := buckettest.NewFaulty(w.bucket, buckettest.Fault{Op: buckettest.Put, Prefix: "manifests/", Times: 1000, Err: errDown})
		a := w.archiver(t, func(c *archive.Config) { c.Bucket, c.MaxRows = dead, 2 })
		assign(t, a, first)
		assign(t, a, second)
		deliver(t, a, first, records("t", start(), 0, 1)...)
		deliver(t, a, second, records("t", start(), 0, 1)...)
		broken := buckettest.NewFaulty(w.bucket, buckettest.Fault{Op: buckettest.Put, Prefix: w.flushes(t, first)[0].Manifest, Times: 1000, Err: errDown})
		stop := run(t, w.archiver(t, func(c *archive.Config) { c.Bucket, c.MaxAge = broken, time.Minute }))
		<-time.After(2 * time.Minute)
		stop()
		if _, err := w.bucket.Stat(t.Context(), w.flushes(t, first)[0].Manifest); !errors.Is(err, bucket.ErrNotFound) {
			t.Fatalf("the broken manifest is there, the test is void: %v", err)
		}
		if _, err := w.bucket.Stat(t.Context(), w.flushes(t, second)[0].Manifest); err != nil {
			t.Errorf("the other manifest: %v", err)
		}
	})
}
