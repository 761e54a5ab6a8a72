package archive_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/consumers/archive/mirror"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/bucket/buckettest"
	"github.com/signalbox-ml/signalbox/registry/bucket/membucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/ledger/ledgertest"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// inPostgres is a world with a database of its own, on the bucket.
func inPostgres(t *testing.T, b bucket.Bucket) world {
	t.Helper()
	catalog := pgtest.New(t).Catalog
	return world{postgres{catalog.Ledger(), catalog}, b}
}

// TestRebuild loses the database and makes the ledger again: the same dump, an archive that is whole, and archivers that go
// on where it ends.
func TestRebuild(t *testing.T) {
	p := newPast(t, inPostgres(t, membucket.New()))
	before, wrote := p.dump(t)
	// A claim that committed nothing left an object under a name that a later claim must not take.
	left := p.flushes(t, p.old)[0].Files[0].Key
	left = left[:strings.LastIndex(left, "/")] + "/p0-9999-10000-77.parquet"
	p.store(t, left, []byte("left"))

	p.world = inPostgres(t, p.bucket)
	found, err := archive.Rebuild(t.Context(), p.bucket, p.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if found.Topics != 4 || found.Partitions != 5 || found.Swaps != 3 || found.Flushes != wrote.Flushes || found.Gaps != 0 || found.Files == 0 || found.Rows == 0 {
		t.Errorf("%+v, want what was dumped: %+v", found, wrote)
	}
	after, _ := p.dump(t)
	if before != after {
		t.Errorf("the dump was\n%s\nit is\n%s", before, after)
	}
	report := p.verified(t, archive.Verifier{Deep: true, Log: p.kafka()})
	if report.Orphans != (archive.Objects{Count: 1, Bytes: 4}) || report.Lost == 0 || report.Kafka.Compared == 0 {
		t.Errorf("%+v", report)
	}
	if s := p.state(t, p.now); s.TopicID != p.now.TopicID {
		t.Errorf("the current topic is %s, want the one that was made last", s.TopicID)
	}
	if _, err := archive.Rebuild(t.Context(), p.bucket, p.ledger); !errors.Is(err, ledger.ErrNotEmpty) {
		t.Errorf("rebuilt twice: %v", err)
	}
	p.goOn(t)
}

// goOn appends to a log, and archives the rest of it.
func (p *past) goOn(t *testing.T) {
	t.Helper()
	for _, tp := range []events.TopicPartition{p.old, p.now} {
		end, at := p.ends[tp], p.logs[tp][len(p.logs[tp])-1].AppendTime
		p.logs[tp] = append(p.logs[tp], records("type.3", at, end, end+1, end+5)...)
		p.ends[tp] = end + 6
		feed(t.Context(), p.archiver(t, func(c *archive.Config) { c.MaxRows = 2 }), tp, p.logs[tp], p.ends[tp])
		p.check(t, tp, p.logs[tp])
	}
	if s := p.state(t, p.now); s.Next != p.ends[p.now] {
		t.Errorf("%+v", s)
	}
	last := p.flushes(t, p.old)
	if f := last[len(last)-1]; f.Epoch <= 77 {
		t.Errorf("flush of epoch %d: an object has epoch 77 in its name", f.Epoch)
	}
	seen := map[int64]bool{}
	for tp := range p.logs {
		for _, f := range p.flushes(t, tp) {
			if seen[f.Seq] {
				t.Errorf("step %d is there twice", f.Seq)
			}
			seen[f.Seq] = true
		}
	}
	p.verified(t, archive.Verifier{Deep: true})
}

// TestRebuildWithoutTheLastManifest: a flush that was not mirrored when the database was lost is archived again.
func TestRebuildWithoutTheLastManifest(t *testing.T) {
	p := newPast(t, newWorld())
	last := p.flushes(t, p.old)
	remove(t, p.world, last[len(last)-1].Manifest)
	p.world = world{ledgertest.NewMemory(), p.bucket}
	found, err := archive.Rebuild(t.Context(), p.bucket, p.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if found.Gaps != 1 {
		t.Errorf("%+v, want one step without a manifest", found)
	}
	if s := p.state(t, p.now); s.Partition.Partition != 0 || len(p.flushes(t, p.old)) != len(last)-1 {
		t.Errorf("%+v", s)
	}
	feed(t.Context(), p.archiver(t, nil), p.old, p.logs[p.old], p.ends[p.old])
	p.check(t, p.old, p.logs[p.old])
	if f := p.flushes(t, p.old); f[len(f)-1].Seq <= last[len(last)-1].Seq {
		t.Error("a step that was announced before is another one now")
	}
	if report := p.verified(t, archive.Verifier{Deep: true}); report.Orphans.Count != int64(len(last[len(last)-1].Files)) {
		t.Errorf("%+v, want the files of the lost flush as orphans", report)
	}
}

func TestRebuildRefusesATornHistory(t *testing.T) {
	edit := func(t *testing.T, p *past, key string, change func(*ledger.Flush)) {
		t.Helper()
		f, err := mirror.DecodeFlush(key, object(t, p.bucket, key))
		if err != nil {
			t.Fatal(err)
		}
		change(&f)
		body, err := mirror.EncodeFlush(f)
		if err != nil {
			t.Fatal(err)
		}
		p.store(t, key, body)
	}
	for name, tc := range map[string]struct {
		tear func(t *testing.T, p *past, fs []ledger.Flush, ss []ledger.Swap)
		want string
	}{
		"first flush missing":  {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) { remove(t, p.world, fs[0].Manifest) }, "before it are missing"},
		"middle flush missing": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) { remove(t, p.world, fs[2].Manifest) }, "before it are missing"},
		"swap missing":         {func(t *testing.T, p *past, _ []ledger.Flush, ss []ledger.Swap) { remove(t, p.world, ss[1].Manifest) }, "manifests of 2 to 3 before it are missing"},
		"flushes missing": {func(t *testing.T, p *past, _ []ledger.Flush, _ []ledger.Swap) {
			for _, tp := range p.flights {
				for _, f := range p.flushes(t, tp) {
					remove(t, p.world, f.Manifest)
				}
			}
		}, "its topic has no flushes"},
		"a file's flush missing": {func(t *testing.T, p *past, _ []ledger.Flush, _ []ledger.Swap) {
			for _, f := range p.flushes(t, p.flights[0]) {
				remove(t, p.world, f.Manifest)
			}
		}, "removes files that were not as it says"},
		"other bytes": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) { replace(t, p.world, fs[1].Manifest) }, "malformed manifest"},
		"altered": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[1].Manifest, func(f *ledger.Flush) { f.Reason = "else" })
		}, "one of the two was changed"},
		"forked": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[1].Manifest, func(f *ledger.Flush) { f.End++ })
		}, "are of two histories"},
		"last altered": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[len(fs)-1].Manifest, func(f *ledger.Flush) { f.Previous = cas.Sum(nil) })
		}, "it continues"},
		"place taken": {func(t *testing.T, p *past, fs []ledger.Flush, ss []ledger.Swap) {
			edit(t, p, fs[len(fs)-1].Manifest, func(f *ledger.Flush) { f.Seq = ss[0].Seq })
		}, "place"},
		"earlier place": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[len(fs)-1].Manifest, func(f *ledger.Flush) { f.Seq = fs[0].Seq })
		}, "the one before step"},
		"earlier epoch": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[len(fs)-1].Manifest, func(f *ledger.Flush) { f.Epoch = 0 })
		}, "epoch 0"},
		"rows missing": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[len(fs)-1].Manifest, func(f *ledger.Flush) { f.Records-- })
		}, "its files"},
		"other topic": {func(t *testing.T, p *past, fs []ledger.Flush, _ []ledger.Swap) {
			edit(t, p, fs[len(fs)-1].Manifest, func(f *ledger.Flush) { f.Topic = "events.else" })
		}, "others of the same topic id"},
		"a stranger": {func(t *testing.T, p *past, _ []ledger.Flush, _ []ledger.Swap) {
			p.store(t, "manifests/readme.txt", nil)
		}, "is not the key of a manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPast(t, newWorld())
			tc.tear(t, p, p.flushes(t, p.flights[0]), p.swaps(t, p.flights[0]))
			into := ledgertest.NewMemory()
			_, err := archive.Rebuild(t.Context(), p.bucket, into)
			if !errors.Is(err, ledger.ErrTorn) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "bring the objects back") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if all, _ := into.History(t.Context()); len(all) > 0 {
				t.Errorf("left %+v", all)
			}
		})
	}
}

// listWatch tells of listings before they begin.
type listWatch struct {
	bucket.Bucket
	before func()
}

func (w listWatch) List(ctx context.Context, prefix string) iter.Seq2[bucket.Attrs, error] {
	w.before()
	return w.Bucket.List(ctx, prefix)
}

// TestRebuildBesideAnArchiver: a flush that comes while manifests are read would not be in the new ledger.
func TestRebuildBesideAnArchiver(t *testing.T) {
	p := newPast(t, newWorld())
	lists := 0
	b := listWatch{p.bucket, func() {
		if lists++; lists == 3 { // manifests, files, manifests again
			end := p.ends[p.now]
			feed(t.Context(), p.archiver(t, nil), p.now, records("t", start(), end), end+1)
		}
	}}
	if _, err := archive.Rebuild(t.Context(), b, ledgertest.NewMemory()); err == nil || !strings.Contains(err.Error(), "stop every archiver") {
		t.Errorf("got %v", err)
	}
	if lists != 3 {
		t.Errorf("%d listings: the test is void", lists)
	}
}

// TestRebuildThatCannotLook: a store that does not answer is no torn history.
func TestRebuildThatCannotLook(t *testing.T) {
	p := newPast(t, newWorld())
	for _, f := range []buckettest.Fault{
		{Op: buckettest.List, Err: errDown}, {Op: buckettest.List, Prefix: "archive/", Err: errDown}, {Op: buckettest.Get, Err: errDown},
	} {
		into := ledgertest.NewMemory()
		_, err := archive.Rebuild(t.Context(), buckettest.NewFaulty(p.bucket, f), into)
		if !errors.Is(err, errDown) || errors.Is(err, ledger.ErrTorn) {
			t.Errorf("%s of %q down: %v", f.Op, f.Prefix, err)
		}
		if all, _ := into.History(t.Context()); len(all) > 0 {
			t.Errorf("left %+v", all)
		}
	}
}

func TestRebuildOfNothing(t *testing.T) {
	into := ledgertest.NewMemory()
	if found, err := archive.Rebuild(t.Context(), membucket.New(), into); err != nil || found != (archive.Rebuilt{}) {
		t.Errorf("%+v, %v", found, err)
	}
}
