package simulation_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// referee compares the archive with the journal. It shares no code with what it judges but the reader of files.
type referee struct {
	world  *world
	judged map[place]int64     // up to which offset
	heard  map[place]time.Time // what a partition was said to be complete up to

	records, flushes, files int
}

// inspect judges what was archived since the last time. Nothing else happens meanwhile.
func (r *referee) inspect(ctx context.Context) {
	w := r.world
	states, err := w.memory.History(ctx)
	if err != nil {
		w.breach("ledger: %v", err)
		return
	}
	w.journal.read()
	for _, s := range states {
		p := w.journal.of(placeOf(s.Partition))
		if p == nil {
			w.breach("%s/%d of id %s is in the ledger and never was in the log", s.Topic, s.Partition.Partition, s.TopicID)
			continue
		}
		r.partition(ctx, s, p)
		at := placeOf(s.Partition)
		if s.ArchivedThrough.Before(r.heard[at]) {
			w.breach("watermark back: %s/%d is complete up to %s, it was up to %s", p.topic, at.partition, s.ArchivedThrough, r.heard[at])
		}
		r.heard[at] = s.ArchivedThrough
	}
	r.watermarks()
	r.whole(ctx, archive.Verifier{Ledger: w.memory, Bucket: w.bucket})
}

// partition judges the flushes of a partition that are new.
func (r *referee) partition(ctx context.Context, s ledger.PartitionState, p *past) {
	at := placeOf(s.Partition)
	for {
		flushes, err := r.world.memory.Flushes(ctx, s.Partition, r.judged[at], 0)
		if err != nil {
			r.world.breach("ledger: %v", err)
			return
		}
		if len(flushes) == 0 {
			break
		}
		for _, f := range flushes {
			if f.Start != r.judged[at] {
				r.world.breach("%s/%d: flush %d starts at %d, the one before ends at %d", f.Topic, f.Partition.Partition, f.Seq, f.Start, r.judged[at])
			}
			r.judged[at] = f.End
			r.flush(ctx, f, p)
		}
	}
	if r.judged[at] != s.Next {
		r.world.breach("%s/%d: the ledger is at %d, its flushes end at %d", s.Topic, s.Partition.Partition, s.Next, r.judged[at])
	}
}

// flush judges one flush by what the log had in its range.
func (r *referee) flush(ctx context.Context, f ledger.Flush, p *past) {
	r.flushes++
	r.met(f)
	rows := map[int64]events.Record{}
	for _, file := range f.Files {
		r.file(ctx, f, file, rows)
	}
	if int64(len(rows)) != f.Records {
		r.world.breach("%s/%d: flush [%d, %d) says %d records, its files have %d", f.Topic, f.Partition.Partition, f.Start, f.End, f.Records, len(rows))
	}
	for _, want := range p.from(f.Start) {
		if want.Offset >= f.End {
			break
		}
		got, ok := rows[want.Offset]
		delete(rows, want.Offset)
		why := p.gone[want.Offset].by
		switch {
		case ok && !same(got, want):
			r.world.breach("altered: %s/%d offset %d", f.Topic, f.Partition.Partition, want.Offset)
		case ok:
			r.records++
		case why == "", why == logRetention && f.Reason != ledger.ReasonLost:
			r.world.breach("lost: %s/%d offset %d, in flush [%d, %d) for %s, removed by %q", f.Topic, f.Partition.Partition, want.Offset, f.Start, f.End, f.Reason, why)
		}
	}
	for o := range rows {
		r.world.breach("not in the log, or doubled: %s/%d offset %d", f.Topic, f.Partition.Partition, o)
	}
}

// met counts what only happens where it was provoked.
func (r *referee) met(f ledger.Flush) {
	switch f.Reason {
	case ledger.ReasonLost:
		r.world.tally.hit(sawLost)
	case ledger.ReasonSize:
		r.world.tally.hit(sawFull)
	}
	if slices.ContainsFunc(f.Files, func(f ledger.File) bool { return f.Type == ledger.TypeMixed }) {
		r.world.tally.hit(sawMixed)
	}
}

// file reads the rows of a file of a flush.
func (r *referee) file(ctx context.Context, f ledger.Flush, file ledger.File, rows map[int64]events.Record) {
	r.files++
	last := int64(-1)
	body, err := object(ctx, r.world.bucket, file.Key)
	if err != nil {
		r.world.breach("lost: %s: %v", file.Key, err)
		return
	}
	for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
		if err != nil {
			r.world.breach("damaged: %s: %v", file.Key, err)
			return
		}
		o := row.Record.Offset
		if _, twice := rows[o]; twice {
			r.world.breach("doubled: %s/%d offset %d", f.Topic, f.Partition.Partition, o)
		}
		if o <= last || o < file.Start || o >= file.End || row.Partition != f.Partition.Partition {
			r.world.breach("reordered: %s has offset %d of partition %d after %d", file.Key, o, row.Partition, last)
		}
		rows[o], last = row.Record, o
	}
}

// watermarks judges each promise that a partition is complete.
func (r *referee) watermarks() {
	w := r.world
	for _, m := range w.ledger.take() {
		p := w.journal.of(m.place)
		if p == nil {
			continue // told already
		}
		for _, rec := range p.from(m.next) {
			if g := p.gone[rec.Offset]; g.by != "" && !m.at.Before(g.at) {
				continue
			}
			if rec.AppendTime.Before(m.through) {
				w.breach("watermark ahead: %s/%d is said to be complete up to %s by %s at %s, archived to %d, and has offset %d of %s", p.topic,
					m.place.partition, m.through.Format("15:04:05.000"), m.by, m.at.Format("15:04:05.000"), m.next, rec.Offset, rec.AppendTime.UTC().Format("15:04:05.000"))
			}
			break
		}
	}
}

// settled is how long the archive may take to be whole when the faults have stopped: the last manifest of a topic that was
// deleted is written by whoever notices that nobody else does.
const settled = 12 * time.Minute

// whole asks the product, until it finds nothing or has had its time.
func (r *referee) whole(ctx context.Context, v archive.Verifier) archive.Report {
	for end := time.Now().Add(settled); ; wait(2 * time.Minute) {
		report, err := v.Run(ctx)
		if err != nil {
			r.world.breach("verify: %v", err)
			return report
		}
		if report.Whole() {
			return report
		}
		if time.Now().After(end) {
			for _, f := range report.Faults {
				r.world.breach("verify: %s", f)
			}
			return report
		}
	}
}

func same(a, b events.Record) bool {
	return a.Offset == b.Offset && a.AppendTime.Equal(b.AppendTime) && sameBytes(a.Key, b.Key) && sameBytes(a.Value, b.Value) &&
		slices.EqualFunc(a.Headers, b.Headers, func(x, y events.RecordHeader) bool { return x.Key == y.Key && sameBytes(x.Value, y.Value) })
}

func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func object(ctx context.Context, b bucket.Bucket, key string) ([]byte, error) {
	r, _, err := b.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(r)
	return body, errors.Join(err, r.Close())
}
