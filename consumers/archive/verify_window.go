package archive

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// windowRecords bounds how many archived records are held at a time: some flushes', at least one's.
const windowRecords = 250_000

// window is consecutive flushes of a partition with what the archive has of them, by offset.
type window struct {
	flushes []ledger.Flush
	live    map[int64]archived
	// replaced are flushes of which a file was replaced. What is live in its place may lack duplicates.
	replaced []ledger.Flush
	// originals are the rows of replaced files, as long as those are there.
	originals map[int64]archived
}

// archived stands for the bytes of a record.
type archived struct {
	sum [32]byte
	key string // of the file
}

// end is the offset behind the window.
func (w *window) end() int64 {
	if len(w.flushes) == 0 {
		return 0
	}
	return w.flushes[len(w.flushes)-1].End
}

// seen returns the append times that the window's rows are between; ok is false if it has no rows.
func (w *window) seen() (from, to time.Time, ok bool) {
	for _, f := range w.flushes {
		for _, file := range f.Files {
			if !ok || file.MinSeen.Before(from) {
				from = file.MinSeen
			}
			to, ok = later(to, file.MaxSeen.Add(time.Microsecond)), true
		}
	}
	return from, to, ok
}

// covers reports whether one of flushes, which are in order, has offset.
func covers(flushes []ledger.Flush, offset int64) bool {
	i, _ := slices.BinarySearchFunc(flushes, offset, func(f ledger.Flush, o int64) int { return cmp.Compare(f.End-1, o) })
	return i < len(flushes) && flushes[i].Start <= offset
}

// window reads what the archive has from the flush with offset on.
func (v *verification) window(ctx context.Context, s ledger.PartitionState, offset int64) (w window, err error) {
	flushes, err := v.Ledger.Flushes(ctx, s.Partition, offset, page)
	if err != nil {
		return w, err
	}
	records := int64(0)
	for _, f := range flushes {
		if records += f.Records; f.Start >= s.Next || len(w.flushes) > 0 && records > windowRecords {
			break
		}
		w.flushes = append(w.flushes, f)
	}
	from, to, ok := w.seen()
	if !ok {
		return w, nil
	}
	err = v.readLive(ctx, s.Partition, from, to, func(files []ledger.LedgerFile) (gone []string, err error) {
		return w.read(ctx, v.Bucket, files)
	})
	return w, err
}

// readLive gives read the live files of p's topic that have rows appended from one time to another, and gives it those that
// are live then where some were replaced and purged meanwhile. A file that is missing all the same is a fault already.
func (v *verification) readLive(ctx context.Context, p ledger.Partition, from, to time.Time,
	read func(files []ledger.LedgerFile) (gone []string, err error),
) error {
	var gone []string
	for {
		files, err := v.Ledger.Files(ctx, ledger.FileQuery{Topic: p.Topic, From: from, To: to})
		if err != nil {
			return err
		}
		live := map[string]bool{}
		files = slices.DeleteFunc(files, func(f ledger.LedgerFile) bool { return f.TopicID != p.TopicID })
		for _, f := range files {
			live[f.Key] = true
		}
		if len(gone) > 0 && !slices.ContainsFunc(gone, func(key string) bool { return !live[key] }) {
			return nil
		}
		if gone, err = read(files); err != nil || len(gone) == 0 {
			return err
		}
	}
}

// read fills the window from the live files, and from the replaced ones that are still there.
func (w *window) read(ctx context.Context, b bucket.Bucket, files []ledger.LedgerFile) (gone []string, err error) {
	w.live, w.originals, w.replaced = map[int64]archived{}, map[int64]archived{}, nil
	live := map[string]bool{}
	for _, f := range files {
		live[f.Key] = true
	}
	take := func(key string, of []ledger.Flush, into map[int64]archived) error {
		err := readRows(ctx, b, key, of, into)
		if !errors.Is(err, bucket.ErrNotFound) {
			return err
		}
		if live[key] {
			gone = append(gone, key)
		}
		return nil
	}
	for _, f := range w.flushes {
		own := true
		for _, file := range f.Files {
			into := w.live
			if !live[file.Key] {
				own, into = false, w.originals
			}
			if err := take(file.Key, []ledger.Flush{f}, into); err != nil {
				return nil, err
			}
		}
		if !own {
			w.replaced = append(w.replaced, f)
		}
	}
	for _, file := range files {
		if !slices.ContainsFunc(file.Spans, w.wants) {
			continue
		}
		if err := take(file.Key, w.replaced, w.live); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// wants reports whether rows of a replaced flush may be in offsets of a file.
func (w *window) wants(s ledger.Span) bool {
	return slices.ContainsFunc(w.replaced, func(f ledger.Flush) bool {
		return s.Partition == f.Partition.Partition && s.Start < f.End && f.Start < s.End
	})
}

// readRows enters the rows of a file that are of some flushes of a partition.
func readRows(ctx context.Context, b bucket.Bucket, key string, of []ledger.Flush, into map[int64]archived) error {
	local, err := download(ctx, b, key)
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
		if row.Partition == of[0].Partition.Partition && covers(of, row.Record.Offset) {
			into[row.Record.Offset] = archived{sumOf(row.Record), key}
		}
	}
	return nil
}
