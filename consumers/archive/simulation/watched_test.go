package simulation_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// place is a partition for good.
type place struct {
	topic     uuid.UUID
	partition int32
}

func placeOf(p ledger.Partition) place { return place{p.TopicID, p.Partition} }

// mark is a promise: what was appended to a partition before through has an offset below next.
type mark struct {
	place   place
	next    int64
	through time.Time
	by      string // who said so
	at      time.Time
}

// watched is the ledger that notes what it was told of watermarks.
type watched struct {
	ledger.Ledger

	mu    sync.Mutex
	marks []mark
}

func (w *watched) note(m mark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks = append(w.marks, m)
}

// take returns the marks since the last time.
func (w *watched) take() []mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	marks := w.marks
	w.marks = nil
	return marks
}

// Commit implements ledger.Ledger.
func (w *watched) Commit(ctx context.Context, f ledger.Flush, seal func(int64) ([]events.Event, error)) (ledger.Flush, error) {
	done, err := w.Ledger.Commit(ctx, f, seal)
	if err == nil {
		w.note(mark{placeOf(f.Partition), f.End, f.ArchivedThrough, fmt.Sprint("flush of claim ", f.Epoch), time.Now()})
	}
	return done, err
}

// Observe implements ledger.Ledger.
func (w *watched) Observe(ctx context.Context, c ledger.Claim, through, event time.Time, caughtUp bool) error {
	err := w.Ledger.Observe(ctx, c, through, event, caughtUp)
	if err == nil {
		w.note(mark{placeOf(c.Partition), c.Next, through, fmt.Sprint("observation of claim ", c.Epoch), time.Now()})
	}
	return err
}
