package archive_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// tampered is a ledger whose swaps and files were tampered with.
type tampered struct {
	announcer
	swaps func([]ledger.Swap) []ledger.Swap
	file  func(*ledger.FileState)
}

func (d tampered) Swaps(ctx context.Context, id uuid.UUID, from int64, limit int) ([]ledger.Swap, error) {
	all, err := d.announcer.Swaps(ctx, id, 1, 1000)
	for all = d.swaps(all); len(all) > 0 && all[0].N < from; all = all[1:] {
	}
	return all[:min(len(all), limit)], err
}

func (d tampered) Inventory(ctx context.Context, after string, limit int) ([]ledger.FileState, error) {
	all, err := d.announcer.Inventory(ctx, after, limit)
	for i := range all {
		d.file(&all[i])
	}
	return all, err
}

func TestVerifyKnowsSwaps(t *testing.T) {
	same := func(s []ledger.Swap) []ledger.Swap { return s }
	second := func(change func(*ledger.Swap)) func([]ledger.Swap) []ledger.Swap {
		return func(all []ledger.Swap) []ledger.Swap {
			if len(all) > 1 {
				change(&all[1])
			}
			return all
		}
	}
	for name, tc := range map[string]struct {
		bucket func(t *testing.T, p *past, s []ledger.Swap)
		swaps  func([]ledger.Swap) []ledger.Swap
		file   func(*ledger.FileState)
		want   string
	}{
		"nothing":            {want: ""},
		"manifest gone":      {bucket: func(t *testing.T, p *past, s []ledger.Swap) { remove(t, p.world, s[0].Manifest) }, want: "swaps/00000000000000000001.json is missing"},
		"newest gone":        {bucket: func(t *testing.T, p *past, s []ledger.Swap) { remove(t, p.world, s[2].Manifest) }, want: "swaps/00000000000000000003.json is missing"},
		"manifest changed":   {bucket: func(t *testing.T, p *past, s []ledger.Swap) { replace(t, p.world, s[1].Manifest) }, want: "does not say what the ledger says"},
		"file gone":          {bucket: func(t *testing.T, p *past, s []ledger.Swap) { remove(t, p.world, s[1].Add[0].Key) }, want: "compacted/events.flights-2.parquet is missing"},
		"replaced file gone": {bucket: func(t *testing.T, p *past, s []ledger.Swap) { remove(t, p.world, s[1].Remove[3].Key) }, want: ".parquet is missing"},
		"swap missing": {swaps: func(s []ledger.Swap) []ledger.Swap {
			if len(s) > 2 {
				return append(s[:1:1], s[2])
			}
			return s
		}, want: "swap 3 follows swap 1"},
		"chain":          {swaps: second(func(s *ledger.Swap) { s.Previous = cas.Sum(nil) }), want: "the one before has"},
		"rows":           {swaps: second(func(s *ledger.Swap) { s.Duplicates++ }), want: "rows fewer than before"},
		"another file":   {swaps: second(func(s *ledger.Swap) { s.Remove[0].Rows--; s.Duplicates-- }), want: "removes 4 files"},
		"another place":  {swaps: second(func(s *ledger.Swap) { s.Manifest = "manifests/else" }), want: "has its manifest at"},
		"too early":      {file: func(f *ledger.FileState) { f.Removed = min(f.Removed, f.Seq) }, want: "was not live when step"},
		"purged at once": {file: func(f *ledger.FileState) { f.Purged = min(f.Purged, f.Removed) }, want: "was not replaced when step"},
		"added more":     {file: func(f *ledger.FileState) { f.Rows++ }, want: "adds 1 files"},
		"flushed more":   {file: func(f *ledger.FileState) { f.Rows++ }, want: "they are not the same files"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPast(t, newWorld())
			if tc.bucket != nil {
				tc.bucket(t, p, p.swaps(t, p.flights[0]))
			}
			d := tampered{p.ledger, same, func(*ledger.FileState) {}}
			if tc.swaps != nil {
				d.swaps = tc.swaps
			}
			if tc.file != nil {
				d.file = tc.file
			}
			report, err := archive.Verify(t.Context(), d, p.bucket)
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(report.Faults, "\n")
			if (tc.want == "") != (all == "") || !strings.Contains(all, tc.want) {
				t.Errorf("found %q, want %q", all, tc.want)
			}
		})
	}
}

// TestVerifyCounts: what is live, what is garbage, and what should have been removed.
func TestVerifyCounts(t *testing.T) {
	p := newPast(t, newWorld())
	gone := p.swaps(t, p.flights[0])[0].Remove[0].Key
	p.store(t, gone, []byte("still"))
	p.store(t, "archive/v1/a", []byte("first"))
	p.store(t, "archive/v2/z", []byte("last"))
	report := p.verified(t, archive.Verifier{Deep: true})
	live, err := p.ledger.Files(t.Context(), ledger.FileQuery{})
	if err != nil {
		t.Fatal(err)
	}
	rows := int64(0)
	for _, f := range live {
		rows += f.Rows
	}
	if report.Files != int64(len(live)) || report.Rows != rows || report.Swaps != 3 || report.Partitions != 5 {
		t.Errorf("%+v, want %d files with %d rows", report, len(live), rows)
	}
	if report.Orphans != (archive.Objects{Count: 2, Bytes: 9}) || report.Purgeable.Count != 1 {
		t.Errorf("%+v", report)
	}
}

// TestVerifyMissesWhatTheLedgerLost: an old backup of the database knows less than the bucket.
func TestVerifyMissesWhatTheLedgerLost(t *testing.T) {
	for name, tc := range map[string]struct{ key, want string }{
		"flush":     {mirror.FlushKey(partitionOf("events.flights", 1).TopicID, 1, 1<<20), "the ledger has lost this step"},
		"partition": {mirror.FlushKey(partitionOf("events.flights", 1).TopicID, 9, 0), "the ledger has lost this step"},
		"topic":     {mirror.FlushKey(uuid.UUID{0xff}, 0, 0), "the ledger has lost this step"},
		"swap":      {mirror.SwapKey(partitionOf("events.flights", 1).TopicID, 4), "the ledger has lost this step"},
		"stranger":  {"manifests/x", "is no manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPast(t, newWorld())
			p.store(t, tc.key, []byte("{}"))
			report, err := archive.Verify(t.Context(), p.ledger, p.bucket)
			if err != nil || len(report.Faults) != 1 || !strings.Contains(report.Faults[0], tc.key) || !strings.Contains(report.Faults[0], tc.want) {
				t.Errorf("%q %v, want %q", report.Faults, err, tc.want)
			}
		})
	}
}

// TestDeepReadsRows: files that are what the ledger says, byte for byte, and hold something else.
func TestDeepReadsRows(t *testing.T) {
	tp := partitionOf("events.flights", 0)
	at := start()
	timed := append(records("t", at, 0), record(1, "t", at, "ce_time", "2026-11-01T08:00:00Z"), record(2, "t", at, "ce_time", "2026-11-01T08:30:00Z"))
	for name, tc := range map[string]struct {
		part  int32
		recs  []events.Record
		spoil func(*ledger.File)
		twice bool // another live file has the same offsets
		want  string
	}{
		"nothing":              {recs: records("t", at, 0, 1, 3)},
		"out of order":         {recs: records("t", at, 0, 2, 1), spoil: func(f *ledger.File) { f.End = 4 }, want: "it comes after offset 2"},
		"outside":              {recs: records("t", at, 0, 1, 9), spoil: func(f *ledger.File) { f.End = 4 }, want: "outside the offsets"},
		"partition":            {part: 1, recs: records("t", at, 0, 1, 2), want: "the file is of partition 0"},
		"other type":           {recs: append(records("t", at, 0, 1), record(2, "u", at)), want: `type "u" is not of the file's type "t"`},
		"too few":              {recs: records("t", at, 0, 1), spoil: func(f *ledger.File) { f.Rows = 3 }, want: "has 2 rows, want 3"},
		"other time":           {recs: records("t", at, 0, 1, 2), spoil: func(f *ledger.File) { f.MinSeen = f.MaxSeen.Add(1000) }, want: "are said to be from"},
		"offsets twice":        {recs: records("t", at, 0, 1, 2), twice: true, want: "another live file has it too"},
		"outside the extremes": {recs: records("t", at, 0, 1, 2), spoil: func(f *ledger.File) { f.Spans, f.End = []ledger.Span{{End: 9}}, 2 }, want: "outside the offsets"},
		"before the extremes":  {recs: records("t", at, 0, 1, 2), spoil: func(f *ledger.File) { f.Spans, f.Start = []ledger.Span{{End: 9}}, 1 }, want: "outside the offsets"},
		"other hour":           {recs: records("t", at, 0, 1), spoil: func(f *ledger.File) { f.Hour = f.Hour.Add(-time.Hour) }, want: "are said to be of the hour of"},
		"two hours":            {recs: append(records("t", at, 0), records("t", at.Add(time.Hour), 1)...), want: "are said to be of the hour of"},
		"event times":          {recs: timed},
		"event too early":      {recs: timed, spoil: func(f *ledger.File) { f.MinTime = f.MinTime.Add(time.Second) }, want: "the event is of 2026-11-01 08:00:00 +0000 UTC"},
		"event too late":       {recs: timed, spoil: func(f *ledger.File) { f.MaxTime = f.MaxTime.Add(-time.Second) }, want: "the event is of 2026-11-01 08:30:00 +0000 UTC"},
		"no event times":       {recs: timed, spoil: func(f *ledger.File) { f.MinTime, f.MaxTime = time.Time{}, time.Time{} }, want: "the event is of"},
		"no parquet":           {recs: records("t", at, 0, 1, 2), spoil: func(f *ledger.File) { f.Digest = cas.Sum([]byte("changed")); f.Bytes = 7 }, want: "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			c, err := w.ledger.Claim(t.Context(), ledgerPartition(tp), "me")
			if err != nil {
				t.Fatal(err)
			}
			f := w.file(t, "one", tc.part, tc.recs)
			if tc.spoil != nil {
				tc.spoil(&f)
			}
			if f.Digest == cas.Sum([]byte("changed")) {
				replace(t, w, f.Key)
			}
			files := []ledger.File{f}
			if tc.twice {
				files = append(files, w.file(t, "two", tc.part, tc.recs[:1]))
			}
			w.flush(t, c, files)
			report, err := archive.Verifier{Ledger: w.ledger, Bucket: w.bucket, Deep: true}.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(report.Faults, "\n")
			if (tc.want == "") != (all == "") || !strings.Contains(all, tc.want) {
				t.Errorf("found %q, want %q", all, tc.want)
			}
			if report := w.whole(t); !report.Whole() {
				t.Error("the test is void: this shows without reading rows")
			}
		})
	}
}

// file stores rows, whatever they are, as a file of type t.
func (w world) file(t *testing.T, name string, partition int32, recs []events.Record) ledger.File {
	t.Helper()
	sw := segment.NewWriter()
	for i := range recs {
		if err := sw.Append(partition, &recs[i]); err != nil {
			t.Fatal(err)
		}
	}
	seg, err := sw.Close()
	if err != nil {
		t.Fatal(err)
	}
	f := ledger.File{
		Key: "archive/v1/" + name, Type: "t", Digest: seg.Digest, Bytes: int64(len(seg.Body)), Rows: seg.Rows, Start: seg.Start, End: seg.End,
		Hour: start(), MinTime: seg.MinTime, MaxTime: seg.MaxTime, MinSeen: seg.MinSeen, MaxSeen: seg.MaxSeen,
	}
	w.store(t, f.Key, seg.Body)
	return f
}

// flush commits files from offset 0 on, with the manifest.
func (w world) flush(t *testing.T, c ledger.Claim, files []ledger.File) {
	t.Helper()
	f := ledger.Flush{Claim: c, End: 12, Reason: ledger.ReasonSize, Files: files, Manifest: mirror.FlushKey(c.TopicID, 0, 0)}
	for _, file := range files {
		f.Records += file.Rows
	}
	done, err := w.ledger.Commit(t.Context(), f, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := mirror.EncodeFlush(done)
	if err != nil {
		t.Fatal(err)
	}
	w.store(t, done.Manifest, body)
}

// purging is a bucket from which a file disappears when it is looked at, after the ledger said that it would.
type purging struct {
	bucket.Bucket
	key   string
	purge func()
}

func (b *purging) Stat(ctx context.Context, key string) (bucket.Attrs, error) {
	if purge := b.purge; key == b.key && purge != nil {
		b.purge = nil
		purge()
	}
	return b.Bucket.Stat(ctx, key)
}

func TestVerifyWhileFilesArePurged(t *testing.T) {
	p := newPast(t, newWorld())
	refs := p.swaps(t, p.flights[0])[1].Remove
	b := &purging{Bucket: p.bucket, key: refs[1].Key, purge: func() { p.purge(t, p.flights[0], refs) }}
	report, err := archive.Verify(t.Context(), p.ledger, b)
	if err != nil || len(report.Faults) > 0 {
		t.Errorf("%q, %v", report.Faults, err)
	}
	if b.purge != nil {
		t.Error("nothing was purged meanwhile: the test is void")
	}
}

// mirroredLater is a bucket in which an object is not yet when it is first looked for.
type mirroredLater struct {
	bucket.Bucket
	key   string
	looks int
}

func (b *mirroredLater) Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error) {
	if key == b.key {
		if b.looks++; b.looks == 1 {
			return nil, bucket.Attrs{}, bucket.ErrNotFound
		}
	}
	return b.Bucket.Get(ctx, key, r)
}

// TestVerifyAtTheEndOfAPage: the manifest of the newest swap may be on its way, however many swaps there are. Those before it
// are there when the next one is made.
func TestVerifyAtTheEndOfAPage(t *testing.T) {
	const page = 500
	tp := partitionOf("events.flights", 0)
	w := newWorld()
	feed(t.Context(), w.archiver(t, nil), tp, records("t", start(), 0), 1)
	f := w.live(t, tp)[0].File
	f.Spans = []ledger.Span{{End: 1}}
	body := object(t, w.bucket, f.Key)
	for n := int64(1); n <= page+1; n++ {
		s := ledger.Swap{N: n, Kind: ledger.SwapCompact, Remove: []ledger.FileRef{{Key: f.Key, Digest: f.Digest, Rows: f.Rows}}}
		f.Key = fmt.Sprintf("archive/v1/%d", n)
		w.store(t, f.Key, body)
		s.Add = []ledger.File{f}
		s = w.commit(t, tp, s)
		if n < page {
			continue
		}
		for _, key := range []string{s.Manifest, mirror.SwapKey(tp.TopicID, n-1)} {
			b := &mirroredLater{Bucket: w.bucket, key: key}
			report, err := archive.Verify(t.Context(), w.ledger, b)
			if err != nil || report.Swaps != n || (len(report.Faults) == 0) != (key == s.Manifest) {
				t.Errorf("%d swaps, %s comes late: %d swaps, %q, %v", n, key, report.Swaps, report.Faults, err)
			}
		}
	}
}
