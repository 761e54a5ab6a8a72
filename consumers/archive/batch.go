package archive

import (
	"errors"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// ErrDelivery reports records that do not continue what was delivered before. Taking them could hide a loss, because
// gaps are legal; the partition must be assigned again.
var ErrDelivery = errors.New("delivery out of order")

// batch is offsets [start, end) of one partition in memory, all records of one append hour. It becomes one flush.
type batch struct {
	start, end int64
	hour       time.Time // of the records; zero without any
	recs       records
	bytes      int64
	through    time.Time // append time of the newest record
	opened     time.Time // by this process's clock
	reason     string    // why it was closed

	// What is left of a flush that was interrupted, so that it goes on with the same bytes under the same keys.
	plan    []group
	columns segment.Columns
	files   []ledger.File
}

func hourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// full says why r cannot join b, or nothing.
func (b *batch) full(r *events.Record, c *Config) string {
	switch {
	case b.recs.len() == 0:
		return ""
	case !b.hour.Equal(hourOf(r.AppendTime)):
		return ledger.ReasonHour
	case b.atLimit(c):
		return ledger.ReasonSize
	}
	return ""
}

func (b *batch) atLimit(c *Config) bool { return b.bytes >= c.MaxBytes || b.recs.len() >= c.MaxRows }

// add copies r, and returns by how much the memory grew.
func (b *batch) add(r *events.Record) int64 {
	if b.recs.len() == 0 {
		b.hour = hourOf(r.AppendTime)
	}
	grown := b.recs.add(r)
	b.bytes += grown
	b.through = later(b.through, r.AppendTime)
	b.end = r.Offset + 1
	return grown
}

// checkDelivery refuses records that do not lie in order in [pos, next).
func checkDelivery(recs []events.Record, pos, next int64) error {
	at := pos
	for i := range recs {
		if recs[i].Offset < at {
			return fmt.Errorf("offset %d after %d: %w", recs[i].Offset, at-1, ErrDelivery)
		}
		at = recs[i].Offset + 1
	}
	if next < at {
		return fmt.Errorf("next offset %d, want at least %d: %w", next, at, ErrDelivery)
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
