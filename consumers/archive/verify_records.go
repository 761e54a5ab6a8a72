package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// compare reads the partition's log from start to where the archive ends, and holds each record against the archived one.
func (v *verification) compare(ctx context.Context, s ledger.PartitionState, start int64) error {
	tp := events.TopicPartition{TopicID: s.TopicID, Topic: s.Topic, Partition: s.Partition.Partition}
	next, stop := iter.Pull2(v.Log.Records(ctx, tp, start, s.Next))
	defer stop()
	var w window
	for r, err, more := next(); more; r, err, more = next() {
		if err != nil {
			return err
		}
		if r.Offset >= w.end() {
			if w, err = v.window(ctx, s, r.Offset); err != nil {
				return err
			}
		}
		if len(w.flushes) == 0 || w.flushes[0].Start > r.Offset {
			return nil // a hole in the flushes, which is a fault already
		}
		if err := v.record(ctx, w, r); err != nil {
			return err
		}
	}
	return nil
}

// record judges a record of the log: by what readers of the archive get, and by what was there before, too.
func (v *verification) record(ctx context.Context, w window, r events.Record) error {
	p, sum := w.flushes[0].Partition, sumOf(r)
	if row, there := w.originals[r.Offset]; there && row.sum != sum {
		v.faultOf(p, "offset %d: %s, which was replaced, has another record than the log", r.Offset, row.key)
	}
	row, there := w.live[r.Offset]
	switch {
	case there && row.sum == sum:
		v.report.Kafka.Compared++
	case there:
		v.faultOf(p, "offset %d: %s has another record than the log", r.Offset, row.key)
	case covers(w.replaced, r.Offset):
		return v.leftOut(ctx, p, r)
	default:
		v.absent(p, r.Offset)
	}
	return nil
}

func (v *verification) absent(p ledger.Partition, offset int64) {
	v.faultOf(p, "offset %d is in the log and not in the archive", offset)
}

// sumOf is equal for records that are equal byte for byte: key, value, headers and append time.
func sumOf(r events.Record) [sha256.Size]byte {
	h := sha256.New()
	var n [8]byte
	number := func(i int64) {
		binary.BigEndian.PutUint64(n[:], uint64(i))
		h.Write(n[:])
	}
	text := func(b []byte) {
		if b == nil {
			number(-1) // is not the same as empty
			return
		}
		number(int64(len(b)))
		h.Write(b)
	}
	number(r.Offset)
	number(r.AppendTime.UnixMicro())
	text(r.Key)
	text(r.Value)
	for _, hd := range r.Headers {
		text([]byte(hd.Key))
		text(hd.Value)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
