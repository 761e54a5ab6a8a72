package archive_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
)

// heavy records have a chunk of memory each, so that it counts them.
func heavy(offsets ...int64) []events.Record {
	recs := records("t", start(), offsets...)
	for i := range recs {
		recs[i].Value = make([]byte, 8<<10)
	}
	return recs
}

// costs is what a record of this file costs in memory.
func costs(t *testing.T) int64 {
	w, tp := newWorld(), partitionOf("events.flights", 0)
	a := w.archiver(t, nil)
	assign(t, a, tp)
	deliver(t, a, tp, heavy(0)...)
	return a.Stats().Buffered
}

func TestBudgetFlushesTheLargest(t *testing.T) {
	w, size := newWorld(), costs(t)
	a := w.archiver(t, func(c *archive.Config) { c.Budget = 5*size + size/2 })
	small, large := partitionOf("events.a", 0), partitionOf("events.b", 0)
	for _, tp := range []events.TopicPartition{small, large} {
		assign(t, a, tp)
	}
	deliver(t, a, small, heavy(0)...)
	deliver(t, a, large, heavy(0, 1, 2)...)
	deliver(t, a, small, heavy(1, 2)...)
	if n := len(w.flushes(t, large)); n != 1 {
		t.Errorf("the largest was flushed %d times", n)
	}
	if n := len(w.flushes(t, small)); n != 0 {
		t.Errorf("the smaller one was flushed %d times", n)
	}
	if b := a.Stats().Buffered; b < 3*size || b > 3*size+100 {
		t.Errorf("%d bytes in memory, want about %d", b, 3*size)
	}
}

func TestDeliveryLargerThanTheBudget(t *testing.T) {
	w, tp := newWorld(), partitionOf("events.a", 0)
	a := w.archiver(t, func(c *archive.Config) { c.Budget = 1 })
	assign(t, a, tp)
	recs := records("t", start(), 0, 1, 2, 3, 4)
	deliver(t, a, tp, recs[:3]...)
	deliver(t, a, tp, recs[3:]...)
	a.Revoked(t.Context(), tp)
	w.check(t, tp, recs)
	if b := a.Stats().Buffered; b != 0 {
		t.Errorf("%d bytes left", b)
	}
}

func TestBudgetMakesDeliveryWait(t *testing.T) {
	w, size := newWorld(), costs(t)
	recs := heavy(0, 1, 2, 3, 4, 5, 6, 7, 8)
	var tps []events.TopicPartition
	synctest.Test(t, func(t *testing.T) {
		down := buckettest.NewFaulty(w.bucket, buckettest.Fault{Op: buckettest.Put, Times: 10, Err: errDown})
		a := w.archiver(t, func(c *archive.Config) { c.Bucket, c.Budget = down, 4*size+size/2 })
		var done sync.WaitGroup
		for n := range int32(5) {
			tp := partitionOf("events.a", n)
			tps = append(tps, tp)
			assign(t, a, tp)
			done.Go(func() {
				for _, r := range recs {
					if err := a.Records(t.Context(), tp, []events.Record{r}, r.Offset+1, 9); err != nil {
						t.Error(err)
					}
					if b := a.Stats().Buffered; b > 5*size {
						t.Errorf("%d bytes in memory", b)
					}
				}
			})
		}
		<-time.After(500 * time.Millisecond)
		if s := a.Stats(); s.Records != 0 || s.Buffered > 5*size {
			t.Errorf("while the bucket is down: %+v", s)
		}
		done.Wait()
		for _, tp := range tps {
			a.Revoked(t.Context(), tp)
		}
	})
	for _, tp := range tps {
		w.check(t, tp, recs)
	}
	w.whole(t)
}
