package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const (
	// unpackAtOnce is how many records are made rows of at a time.
	unpackAtOnce = 512
	// maxSought bounds how many events are looked for at a time, each some 100 bytes.
	maxSought = 250_000
)

// seeking is records of the log that compaction left out. Each must be another delivery of an event that is live in the same
// hour, and that a reader knows no later. Hours are read once for all of a topic's records, not for each.
type seeking struct {
	packed []events.Record // of partition, not looked into yet
	of     ledger.Partition
	events map[eventSum][]delivery
	n      int // deliveries
	writer *segment.Writer
}

// leftOut takes a record that no live file has.
func (v *verification) leftOut(ctx context.Context, p ledger.Partition, r events.Record) error {
	s := &v.sought
	if s.of != p || len(s.packed) == unpackAtOnce {
		if err := v.unpack(); err != nil {
			return err
		}
	}
	s.of, s.packed = p, append(s.packed, r)
	if s.n < maxSought {
		return nil
	}
	return v.seek(ctx)
}

// unpack makes rows of records, as the archiver does, to see their events.
func (v *verification) unpack() error {
	s := &v.sought
	if len(s.packed) == 0 {
		return nil
	}
	if s.writer == nil {
		s.writer, s.events = segment.NewWriter(), map[eventSum][]delivery{}
	}
	for i := range s.packed {
		if err := s.writer.Append(s.of.Partition, &s.packed[i]); err != nil {
			return err
		}
	}
	seg, err := s.writer.Close()
	if err != nil {
		return err
	}
	s.packed = s.packed[:0]
	for row, err := range segment.ReadStored(bytes.NewReader(seg.Body), int64(len(seg.Body))) {
		if err != nil {
			return err
		}
		sum, d, isEvent := deliveryOf(row)
		if d.of = s.of; !isEvent {
			v.absent(d.of, d.offset)
			continue
		}
		s.events[sum] = append(s.events[sum], d)
		s.n++
	}
	return nil
}

// seek looks for the events of all records that were left out; who has none is lost.
func (v *verification) seek(ctx context.Context) error {
	s := &v.sought
	if err := v.unpack(); err != nil || s.n == 0 {
		return err
	}
	from, to, hours := s.hours()
	err := v.readLive(ctx, s.of, from, to, func(files []ledger.LedgerFile) (gone []string, err error) {
		for _, f := range files {
			if !hours[f.Hour.UTC()] {
				continue
			}
			err := v.seekIn(ctx, f)
			if errors.Is(err, bucket.ErrNotFound) {
				gone = append(gone, f.Key)
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		return gone, nil
	})
	if err != nil {
		return err
	}
	for _, d := range s.rest() {
		v.absent(d.of, d.offset)
	}
	clear(s.events)
	s.n = 0
	return nil
}

// hours returns those in which events are sought, and from when to when they are.
func (s *seeking) hours() (from, to time.Time, hours map[time.Time]bool) {
	hours = map[time.Time]bool{}
	for _, ds := range s.events {
		for _, d := range ds {
			if len(hours) == 0 || d.hour.Before(from) {
				from = d.hour
			}
			to, hours[d.hour] = later(to, d.hour.Add(time.Hour)), true
		}
	}
	return from, to, hours
}

// rest returns what was not found, in order.
func (s *seeking) rest() (out []delivery) {
	for _, ds := range s.events {
		out = append(out, ds...)
	}
	slices.SortFunc(out, func(a, b delivery) int {
		return cmp.Or(cmp.Compare(a.of.Partition, b.of.Partition), cmp.Compare(a.offset, b.offset))
	})
	return out
}

// seekIn strikes off what a file has.
func (v *verification) seekIn(ctx context.Context, f ledger.LedgerFile) error {
	local, err := download(ctx, v.Bucket, f.Key)
	if err != nil {
		return err
	}
	defer local.close()
	for row, err := range segment.ReadStored(local.f, local.size) {
		if errors.Is(err, segment.ErrMalformed) {
			return nil // a fault already
		}
		if err != nil {
			return err
		}
		sum, here, isEvent := deliveryOf(row)
		sought := v.sought.events[sum]
		if !isEvent || len(sought) == 0 {
			continue
		}
		left := slices.DeleteFunc(sought, here.standsFor)
		v.report.Kafka.Duplicates += int64(len(sought) - len(left))
		v.sought.events[sum] = left
	}
	return nil
}
