package compact_test

import (
	"bytes"
	"cmp"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
)

type place struct {
	tp     events.TopicPartition
	offset int64
}

// kept compares what is live with the log, record by record and byte for byte, and returns how many records are not there.
// Each of those must have another delivery beside it that every dataset would have taken in its place.
func (w *world) kept(t *testing.T) (missing int64) {
	t.Helper()
	rows := map[place]segment.Row{}
	hours := map[string][]segment.Row{} // of events, by folder
	for dir, files := range w.groups(t) {
		for _, f := range files {
			for _, row := range w.rows(t, f) {
				at := place{events.TopicPartition{TopicID: f.TopicID, Topic: f.Topic, Partition: row.Partition}, row.Record.Offset}
				if _, twice := rows[at]; twice {
					t.Errorf("%s: offset %d of partition %d is there twice", f.Key, at.offset, row.Partition)
				}
				rows[at] = row
				if !row.Record.AppendTime.Truncate(time.Hour).Equal(f.Hour) {
					t.Errorf("%s has a row of %s", f.Key, row.Record.AppendTime)
				}
				hours[dir] = append(hours[dir], row)
			}
		}
	}
	known := 0
	for tp, log := range w.logs {
		for _, r := range log {
			row, ok := rows[place{tp, r.Offset}]
			switch {
			case !ok:
				missing++
				if !w.covered(t, hours, tp, r) {
					t.Errorf("%s: offset %d is lost", tp, r.Offset)
				}
			case !same(row.Record, r):
				t.Errorf("%s: archived %+v, want %+v", tp, row.Record, r)
			default:
				known++
			}
		}
	}
	if known != len(rows) {
		t.Errorf("%d rows, of which %d are in the log", len(rows), known)
	}
	return missing
}

// covered looks for the delivery for which r was left out.
func (w *world) covered(t *testing.T, hours map[string][]segment.Row, tp events.TopicPartition, r events.Record) bool {
	t.Helper()
	gone := unpacked(t, tp.Partition, r)
	for _, rows := range hours {
		for _, row := range rows {
			if row.CloudEvent.ID != "" && row.CloudEvent.ID == gone.CloudEvent.ID && row.CloudEvent.Source == gone.CloudEvent.Source &&
				row.Record.AppendTime.Truncate(time.Hour).Equal(r.AppendTime.Truncate(time.Hour)) && instead(row, gone) {
				return true
			}
		}
	}
	return false
}

// instead reports whether datasets of either clock take a in the place of b: they order deliveries by availability, which no
// event has before its own time, then by partition and offset.
func instead(a, b segment.Row) bool {
	x, y := a.CloudEvent, b.CloudEvent
	if x.Type != y.Type || x.Subject != y.Subject || !x.Time.Equal(y.Time) || !bytes.Equal(x.Data, y.Data) {
		return false
	}
	first := func(known func(segment.Row) time.Time) bool {
		available := func(r segment.Row) time.Time {
			if at := known(r); r.CloudEvent.Time.Before(at) {
				return at
			}
			return r.CloudEvent.Time
		}
		return cmp.Or(available(a).Compare(available(b)), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Record.Offset, b.Record.Offset)) < 0
	}
	return first(func(r segment.Row) time.Time { return r.Record.AppendTime }) && first(func(r segment.Row) time.Time {
		if r.CloudEvent.RecordedTime.IsZero() {
			return r.Record.AppendTime
		}
		return r.CloudEvent.RecordedTime
	})
}

// unpacked is a record as a file has it.
func unpacked(t *testing.T, partition int32, r events.Record) segment.Row {
	t.Helper()
	writer := segment.NewWriter()
	check(t, writer.Append(partition, &r))
	seg := must(writer.Close())(t)
	for row, err := range segment.Read(bytes.NewReader(seg.Body), int64(len(seg.Body))) {
		check(t, err)
		return row
	}
	return segment.Row{}
}

// ordered fails unless the files of each group, one after another, have their rows by subject, time, partition and offset.
func (w *world) ordered(t *testing.T) {
	t.Helper()
	for dir, files := range w.groups(t) {
		var last *segment.Row
		for _, f := range files {
			if len(f.Spans) == 0 {
				t.Errorf("%s was not merged", f.Key)
			}
			for _, row := range w.rows(t, f) {
				if last != nil && inOrder(*last, row) >= 0 {
					t.Fatalf("%s: %d/%d comes after %d/%d", dir, row.Partition, row.Record.Offset, last.Partition, last.Record.Offset)
				}
				last = &row
			}
		}
	}
}

func inOrder(a, b segment.Row) int {
	return cmp.Or(cmp.Compare(a.CloudEvent.Subject, b.CloudEvent.Subject), a.CloudEvent.Time.Compare(b.CloudEvent.Time),
		cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Record.Offset, b.Record.Offset))
}
