package archive_test

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// past is an archive that has seen everything that can happen to one, and the logs that it is of.
type past struct {
	world
	logs map[events.TopicPartition][]events.Record
	ends map[events.TopicPartition]int64
	// flights is a topic of two partitions, of the first of which everything came twice. Files of it were compacted twice and
	// purged once; old and now are of one name; late lost its first offsets.
	flights        [2]events.TopicPartition
	old, now, late events.TopicPartition
}

func newPast(t *testing.T, w world) *past {
	t.Helper()
	p := &past{world: w, logs: map[events.TopicPartition][]events.Record{}, ends: map[events.TopicPartition]int64{}}
	rng := rand.New(rand.NewPCG(4, 2))
	log := func(tp events.TopicPartition) events.TopicPartition {
		p.logs[tp], p.ends[tp] = randomLog(rng, 36)
		return tp
	}
	p.flights = [2]events.TopicPartition{log(partitionOf("events.flights", 0)), log(partitionOf("events.flights", 1))}
	p.twice(p.flights[0])
	p.old, p.late = log(partitionOf("events.hotels", 0)), log(partitionOf("events.late", 3))
	p.now = p.old
	p.now.TopicID = [16]byte{1} // before the old one in keys
	log(p.now)
	for _, tp := range []events.TopicPartition{p.flights[0], p.old, p.flights[1]} {
		feed(t.Context(), w.archiver(t, func(c *archive.Config) { c.MaxRows = 9 }), tp, p.logs[tp], p.ends[tp])
	}
	feed(t.Context(), w.archiver(t, nil), p.now, p.logs[p.now], p.ends[p.now])

	a := w.archiver(t, func(c *archive.Config) { c.MaxRows = 20 })
	assign(t, a, p.late)
	from, err := a.Lost(t.Context(), p.late, p.logs[p.late][10].Offset)
	if err != nil {
		t.Fatal(err)
	}
	p.logs[p.late] = p.logs[p.late][10:]
	if from != p.logs[p.late][0].Offset {
		t.Fatalf("goes on at %d", from)
	}
	deliver(t, a, p.late, p.logs[p.late]...)
	p.ends[p.late] = p.logs[p.late][len(p.logs[p.late])-1].Offset + 1
	a.Revoked(t.Context(), p.late)

	first := p.compact(t, p.flights[0], p.hour(t, p.flights[0])[:5], repeats(1))
	p.compact(t, p.flights[0], p.hour(t, p.flights[0])[:4], repeats(1))
	p.purge(t, p.flights[0], first.Remove)
	return p
}

// twice has every record of a log delivered again at once.
func (p *past) twice(tp events.TopicPartition) {
	var out []events.Record
	for _, r := range p.logs[tp] {
		r.Offset *= 2
		again := r
		again.Offset++
		out = append(out, r, again)
	}
	p.logs[tp], p.ends[tp] = out, p.ends[tp]*2
}

// hour returns the live files of a topic that are of one hour, those that a swap made first.
func (w world) hour(t *testing.T, tp events.TopicPartition) []ledger.LedgerFile {
	t.Helper()
	files := w.live(t, tp)
	return slices.DeleteFunc(files, func(f ledger.LedgerFile) bool { return !f.Hour.Equal(files[0].Hour) })
}

// live returns the live files of a topic.
func (w world) live(t *testing.T, tp events.TopicPartition) (out []ledger.LedgerFile) {
	t.Helper()
	files, err := w.ledger.Files(t.Context(), ledger.FileQuery{Topic: tp.Topic})
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(files, func(f ledger.LedgerFile) bool { return f.TopicID != uuid.UUID(tp.TopicID) })
}

func (w world) swaps(t *testing.T, tp events.TopicPartition) []ledger.Swap {
	t.Helper()
	all, err := w.ledger.Swaps(t.Context(), tp.TopicID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rowsOf reads files by partition and offset.
func (w world) rowsOf(t *testing.T, files []ledger.LedgerFile) (rows []segment.Row) {
	t.Helper()
	for _, f := range files {
		body := object(t, w.bucket, f.Key)
		for row, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b segment.Row) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Record.Offset, b.Record.Offset))
	})
	return rows
}

// merging says which rows a merged file has of those that it replaces.
type merging func(t *testing.T, rows []segment.Row) []segment.Row

// repeats leaves out n rows whose event comes before them.
func repeats(n int) merging {
	return func(t *testing.T, rows []segment.Row) []segment.Row {
		t.Helper()
		left, seen := n, map[[2]string]bool{}
		rows = slices.DeleteFunc(rows, func(r segment.Row) bool {
			event := [2]string{r.CloudEvent.Source, r.CloudEvent.ID}
			again := r.CloudEvent.ID != "" && seen[event] && left > 0
			if seen[event] = true; again {
				left--
			}
			return again
		})
		if left > 0 {
			t.Fatalf("%d events too few come twice: the test is void", left)
		}
		return rows
	}
}

// merged is one file of the rows of others.
func (w world) merged(t *testing.T, name string, files []ledger.LedgerFile, change merging) ledger.File {
	t.Helper()
	out := ledger.File{Key: "archive/v1/compacted/" + name + ".parquet", Type: ledger.TypeMixed, Hour: files[0].Hour, Start: files[0].Start}
	sw := segment.NewWriter()
	for _, row := range change(t, w.rowsOf(t, files)) {
		if err := sw.Append(row.Partition, &row.Record); err != nil {
			t.Fatal(err)
		}
	}
	seg, err := sw.Close()
	if err != nil {
		t.Fatal(err)
	}
	out.Digest, out.Bytes, out.Rows = seg.Digest, int64(len(seg.Body)), seg.Rows
	out.MinTime, out.MaxTime, out.MinSeen, out.MaxSeen = seg.MinTime, seg.MaxTime, seg.MinSeen, seg.MaxSeen
	for _, f := range files {
		out.Start, out.End = min(out.Start, f.Start), max(out.End, f.End)
		if len(f.Spans) > 0 {
			out.Spans = append(out.Spans, f.Spans...)
			continue
		}
		out.Spans = append(out.Spans, ledger.Span{Partition: f.Partition.Partition, Start: f.Start, End: f.End})
	}
	w.store(t, out.Key, seg.Body)
	return out
}

func (w world) store(t *testing.T, key string, body []byte) {
	t.Helper()
	if _, err := w.bucket.Put(t.Context(), key, bytes.NewReader(body), int64(len(body)), bucket.PutOptions{SHA256: cas.Sum(body)}); err != nil {
		t.Fatal(err)
	}
}

func (w world) compact(t *testing.T, tp events.TopicPartition, files []ledger.LedgerFile, change merging) ledger.Swap {
	t.Helper()
	n := int64(len(w.swaps(t, tp)) + 1)
	add := w.merged(t, fmt.Sprint(tp.Topic, "-", n), files, change)
	s := ledger.Swap{N: n, Kind: ledger.SwapCompact, Duplicates: -add.Rows, Add: []ledger.File{add}}
	for _, f := range files {
		s.Duplicates += f.Rows
		s.Remove = append(s.Remove, ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows})
	}
	return w.commit(t, tp, s)
}

// purge removes the objects of replaced files.
func (w world) purge(t *testing.T, tp events.TopicPartition, refs []ledger.FileRef) {
	t.Helper()
	w.commit(t, tp, ledger.Swap{N: int64(len(w.swaps(t, tp)) + 1), Kind: ledger.SwapPurge, Remove: refs})
	for _, r := range refs {
		remove(t, w, r.Key)
	}
}

// commit makes a swap and its manifest.
func (w world) commit(t *testing.T, tp events.TopicPartition, s ledger.Swap) ledger.Swap {
	t.Helper()
	s.TopicID, s.Topic, s.Manifest = tp.TopicID, tp.Topic, mirror.SwapKey(tp.TopicID, s.N)
	if before := w.swaps(t, tp); len(before) > 0 {
		body, err := mirror.EncodeSwap(before[len(before)-1])
		if err != nil {
			t.Fatal(err)
		}
		s.Previous = cas.Sum(body)
	}
	done, err := w.ledger.Swap(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	body, err := mirror.EncodeSwap(done)
	if err != nil {
		t.Fatal(err)
	}
	w.store(t, done.Manifest, body)
	return done
}

func (w world) dump(t *testing.T) (string, archive.Dumped) {
	t.Helper()
	var b bytes.Buffer
	d, err := archive.Dump(t.Context(), w.ledger, &b)
	if err != nil {
		t.Fatal(err)
	}
	if d.SHA256 != cas.Sum(b.Bytes()) {
		t.Errorf("the dump's digest is %s, want that of its bytes", d.SHA256)
	}
	if again, err := archive.Dump(t.Context(), w.ledger, io.Discard); err != nil || again != d {
		t.Errorf("dumped again: %+v, %v, want %+v", again, err, d)
	}
	return b.String(), d
}

// verified runs v on w and wants no faults.
func (w world) verified(t *testing.T, v archive.Verifier) archive.Report {
	t.Helper()
	v.Ledger, v.Bucket = w.ledger, w.bucket
	report, err := v.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Faults {
		t.Errorf("fault: %s", f)
	}
	return report
}
