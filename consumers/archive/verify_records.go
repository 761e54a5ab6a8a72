package archive

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// windowRecords bounds how many archived records are held at a time: some flushes', at least one's.
const windowRecords = 250_000

// window is consecutive flushes of a partition with what the archive has of them, by offset.
type window struct {
	flushes []ledger.Flush
	rows    map[int64]archived
	// purged are flushes whose own files are gone. The files in their place may lack duplicates.
	purged []ledger.Flush
}

// archived stands for the bytes of a record.
type archived struct {
	sum [sha256.Size]byte
	key string // of the file
}

// end is the offset behind the window.
func (w window) end() int64 {
	if len(w.flushes) == 0 {
		return 0
	}
	return w.flushes[len(w.flushes)-1].End
}

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
		v.record(w, r)
	}
	return nil
}

// record judges a record of the log.
func (v *verification) record(w window, r events.Record) {
	p := w.flushes[0].Partition
	row, there := w.rows[r.Offset]
	switch {
	case there && row.sum == sumOf(r):
		v.report.Kafka.Compared++
	case there:
		v.faultOf(p, "offset %d: %s has another record than the log", r.Offset, row.key)
	case covers(w.purged, r.Offset) && v.duplicates[p.TopicID] > 0:
		v.duplicates[p.TopicID]--
		v.report.Kafka.Duplicates++
	default:
		v.faultOf(p, "offset %d is in the log and not in the archive", r.Offset)
	}
}

// covers reports whether one of flushes, which are in order, has offset.
func covers(flushes []ledger.Flush, offset int64) bool {
	i, _ := slices.BinarySearchFunc(flushes, offset, func(f ledger.Flush, o int64) int { return cmp.Compare(f.End-1, o) })
	return i < len(flushes) && flushes[i].Start <= offset
}

// window reads what the archive has from the flush with offset on.
func (v *verification) window(ctx context.Context, s ledger.PartitionState, offset int64) (window, error) {
	w := window{rows: map[int64]archived{}}
	flushes, err := v.Ledger.Flushes(ctx, s.Partition, offset, page)
	records := int64(0)
	for _, f := range flushes {
		if records += f.Records; f.Start >= s.Next || len(w.flushes) > 0 && records > windowRecords {
			break
		}
		w.flushes = append(w.flushes, f)
	}
	if err != nil {
		return w, err
	}
	for _, f := range w.flushes {
		if err := v.readOwn(ctx, &w, f); err != nil {
			return w, err
		}
	}
	if len(w.purged) == 0 {
		return w, nil
	}
	return w, v.readLive(ctx, &w)
}

// readOwn reads the files that f made, if they are all there.
func (v *verification) readOwn(ctx context.Context, w *window, f ledger.Flush) error {
	for _, file := range f.Files {
		err := v.readRows(ctx, w, file.Key, f.Partition.Partition, []ledger.Flush{f})
		if errors.Is(err, bucket.ErrNotFound) {
			w.purged = append(w.purged, f)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readLive reads the rows of purged flushes from the files that are there in their place.
func (v *verification) readLive(ctx context.Context, w *window) error {
	p := w.purged[0].Partition
	var from, to time.Time
	for _, f := range w.purged {
		for _, file := range f.Files {
			if from.IsZero() || file.MinSeen.Before(from) {
				from = file.MinSeen
			}
			to = later(to, file.MaxSeen.Add(time.Microsecond))
		}
	}
	files, err := v.Ledger.Files(ctx, ledger.FileQuery{Topic: p.Topic, From: from, To: to})
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.TopicID != p.TopicID || file.Partition.Partition != p.Partition && file.Partition.Partition != ledger.Several {
			continue
		}
		err := v.readRows(ctx, w, file.Key, p.Partition, w.purged)
		if err != nil && !errors.Is(err, bucket.ErrNotFound) { // which is a fault already
			return err
		}
	}
	return nil
}

// readRows enters the rows of a file that are of a partition and of some flushes of it.
func (v *verification) readRows(ctx context.Context, w *window, key string, partition int32, of []ledger.Flush) error {
	local, err := download(ctx, v.Bucket, key)
	if err != nil {
		return err
	}
	defer local.close()
	for row, err := range local.rows() {
		if errors.Is(err, segment.ErrMalformed) {
			return nil // a fault already
		}
		if err != nil {
			return err
		}
		if row.Partition == partition && covers(of, row.Record.Offset) {
			w.rows[row.Record.Offset] = archived{sumOf(row.Record), key}
		}
	}
	return nil
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
