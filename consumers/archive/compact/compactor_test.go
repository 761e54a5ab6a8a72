package compact_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

const topic = "events.flights"

// fill archives random logs of three partitions in many small files.
func (w *world) fill(t *testing.T, seed uint64, n int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	for p := range int32(3) {
		w.archive(t, partitionOf(topic, p), 5+rng.IntN(n/4), 2+rng.IntN(6), randomLog(rng, n)...)
	}
}

// TestMerge: whatever is in an archive, afterwards the same events are in few sorted files, within the memory that is given.
func TestMerge(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			w := newWorld()
			w.fill(t, seed, 300)
			before := len(w.live(t))
			memory := int64(10_000 + 4_000*seed)
			c := w.compactor(t, func(c *compact.Config) { c.Memory, c.Target = memory, 30_000 })
			check(t, c.Look(t.Context()))
			missing := w.kept(t)
			w.ordered(t)
			report := w.whole(t)
			s := c.Stats()
			if s.Duplicates != missing || missing == 0 || s.Repeated == 0 {
				t.Errorf("%d records are missing, %d were duplicates, %d others repeated", missing, s.Duplicates, s.Repeated)
			}
			if s.LargestSort > memory || s.BytesSpilled == 0 {
				t.Errorf("%d bytes in memory of %d, %d spilled", s.LargestSort, memory, s.BytesSpilled)
			}
			if s.FilesBefore != int64(before) || s.FilesAfter != report.Files || s.Rows != report.Rows || report.Orphans.Count > 0 {
				t.Errorf("%+v of %d files, the archive has %+v", s, before, report)
			}
			w.settled(t, c)
		})
	}
}

// settled fails if another look finds anything to do.
func (w *world) settled(t *testing.T, c *compact.Compactor) {
	t.Helper()
	before := c.Stats()
	check(t, c.Look(t.Context()))
	check(t, w.compactor(t, func(c *compact.Config) { c.Target = 30_000 }).Look(t.Context()))
	if again := c.Stats(); again != before {
		t.Errorf("%+v became %+v: it does not end", before, again)
	}
}

// TestFilesPerHour is the goal for what a reader has to open: per hour and type one file more than the bytes need.
func TestFilesPerHour(t *testing.T) {
	w := newWorld()
	rng := rand.New(rand.NewPCG(5, 5))
	for p := range int32(4) {
		at := start()
		var recs = randomLog(rng, 0)
		for i := range int64(1500) {
			at = at.Add(time.Second)
			noise := make([]byte, 100)
			for j := range noise {
				noise[j] = 'a' + byte(rng.IntN(26))
			}
			recs = append(recs, event(i, at, fmt.Sprintf("%d-%d-%s", p, i, noise), fmt.Sprintf("t%d", i%2), "ce_subject", fmt.Sprint(rng.IntN(50))))
		}
		w.archive(t, partitionOf(topic, p), 100, 8, recs...)
	}
	const target = 64 << 10
	before := len(w.live(t))
	c := w.compactor(t, func(c *compact.Config) { c.Target = target })
	check(t, c.Look(t.Context()))
	large, all := int64(0), int64(0)
	for dir, files := range w.groups(t) {
		size := int64(0)
		for _, f := range files {
			size += f.Bytes
			if f.Bytes >= target/2 {
				large += f.Bytes
			}
			if f.Bytes > 2*target {
				t.Errorf("%s has %d bytes", f.Key, f.Bytes)
			}
		}
		if most := (size+target-1)/target + 1; int64(len(files)) > most || len(files) < 2 {
			t.Errorf("%s: %d files for %d bytes, want at most %d and more than one", dir, len(files), size, most)
		}
		all += size
	}
	if large*10 < all*8 {
		t.Errorf("%d of %d bytes are in large files", large, all)
	}
	t.Logf("%d files became %d, %d bytes %d", before, len(w.live(t)), c.Stats().BytesBefore, all)
	w.settled(t, c)
}

// TestOnlyClosedHours: an hour is closed once every partition is archived beyond it.
func TestOnlyClosedHours(t *testing.T) {
	w := newWorld()
	now := time.Now().UTC()
	w.archive(t, partitionOf(topic, 0), 2, 4, event(0, now.Add(-3*time.Hour), "a", "t"), event(1, now.Add(-time.Second), "b", "t"))
	slow := ledger.Partition{TopicID: partitionOf(topic, 1).TopicID, Topic: topic, Partition: 1}
	claim := must(w.ledger.Claim(t.Context(), slow, "test"))(t)
	c := w.compactor(t, nil)
	observe := func(through time.Time) int64 {
		check(t, w.ledger.Observe(t.Context(), claim, through, time.Time{}, false))
		check(t, c.Look(t.Context()))
		return c.Stats().Compactions
	}
	end := now.Add(-3 * time.Hour).Truncate(time.Hour).Add(time.Hour)
	if n := observe(end.Add(5*time.Minute - time.Second)); n != 0 {
		t.Errorf("%d merges while a partition is within the slack", n)
	}
	if n := observe(end.Add(5 * time.Minute)); n != 1 {
		t.Errorf("%d merges of one closed hour", n)
	}
	if n := observe(now); n != 1 {
		t.Errorf("%d merges: the hour that is not over was merged", n)
	}
}

// TestOpenHours: with a negative slack an hour is merged before it is over, once it has begun in every partition, and again when
// more files come.
func TestOpenHours(t *testing.T) {
	w := newWorld()
	tp := partitionOf(topic, 0)
	slow := ledger.Partition{TopicID: tp.TopicID, Topic: topic, Partition: 1}
	claim := must(w.ledger.Claim(t.Context(), slow, "test"))(t)
	c := w.compactor(t, func(c *compact.Config) { c.Slack = -time.Hour })
	look := func(through time.Time) int64 {
		check(t, w.ledger.Observe(t.Context(), claim, through, time.Time{}, false))
		check(t, c.Look(t.Context()))
		return c.Stats().Compactions
	}
	w.archive(t, tp, 1, 4, event(0, start(), "a", "t"), event(1, start(), "b", "t"))
	if n := look(start().Add(-time.Second)); n != 0 {
		t.Errorf("%d merges of an hour that has not begun", n)
	}
	for range 2 { // the second finds nothing
		if n := look(start().Add(time.Minute)); n != 1 {
			t.Errorf("%d merges of an hour that has begun, want 1", n)
		}
	}
	w.archive(t, tp, 1, 4, event(2, start(), "c", "t"), event(3, start(), "a", "t"))
	if n := look(start().Add(time.Minute)); n != 2 || len(w.live(t)) != 1 || w.kept(t) != 1 {
		t.Errorf("%d merges, want 2 and one file of %d", n, len(w.live(t)))
	}
	w.whole(t)
	cfg := compact.Config{Ledger: w.ledger, Bucket: w.bucket, References: noReferences{}, Dir: t.TempDir(), Slack: -time.Hour - 1}
	if _, err := compact.New(cfg); err == nil {
		t.Error("an hour that has not begun would be merged")
	}
}

// TestLateFiles: records of a closed hour, as after a change of leaders, are merged with what is there.
func TestLateFiles(t *testing.T) {
	w := newWorld()
	tp := partitionOf(topic, 0)
	w.archive(t, tp, 2, 4, event(0, start(), "a", "t"), event(1, start(), "b", "t"), event(2, start(), "c", "t"))
	check(t, w.compactor(t, nil).Look(t.Context()))
	w.archive(t, tp, 2, 4, event(3, start(), "d", "t"), event(4, start(), "a", "t"))
	check(t, w.compactor(t, nil).Look(t.Context()))
	live := w.live(t)
	if len(live) != 1 || live[0].Rows != 4 || w.kept(t) != 1 {
		t.Errorf("%+v", live)
	}
	w.whole(t)
}

// TestTakenName: somebody's object under the name of a merged file changes the name, and stays as it is.
func TestTakenName(t *testing.T) {
	fill := func() *world {
		w := newWorld()
		w.archive(t, partitionOf(topic, 0), 2, 4, event(0, start(), "a", "t"), event(1, start(), "b", "t"), event(2, start(), "c", "t"))
		return w
	}
	w := fill()
	check(t, w.compactor(t, nil).Look(t.Context()))
	key := w.live(t)[0].Key

	w = fill()
	theirs := []byte("theirs")
	must(w.bucket.Put(t.Context(), key, bytes.NewReader(theirs), int64(len(theirs)), bucket.PutOptions{}))(t)
	c := w.compactor(t, nil)
	check(t, c.Look(t.Context()))
	if live := w.live(t); len(live) != 1 || live[0].Key == key || !strings.Contains(live[0].Key, live[0].Digest.Hex()) || c.Stats().Conflicts != 1 {
		t.Errorf("%+v", live)
	}
	if !bytes.Equal(object(t, w.bucket, key), theirs) {
		t.Error("their object was replaced")
	}
	w.kept(t)
	w.whole(t)
}

// TestDamagedFile: what does not match the ledger is not merged, and keeps nothing else waiting.
func TestDamagedFile(t *testing.T) {
	w := newWorld()
	tp := partitionOf(topic, 0)
	w.archive(t, tp, 2, 4, event(0, start(), "a", "t"), event(1, start(), "b", "t"), event(2, start(), "c", "t"), event(3, start().Add(time.Hour), "d", "t"))
	damaged := w.live(t)[0]
	body := object(t, w.bucket, damaged.Key)
	body[len(body)/2] ^= 1
	must(w.bucket.Put(t.Context(), damaged.Key, bytes.NewReader(body), int64(len(body)), bucket.PutOptions{SHA256: cas.Sum(body)}))(t)
	c := w.compactor(t, nil)
	if err := c.Look(t.Context()); err == nil || !strings.Contains(err.Error(), damaged.Key) {
		t.Errorf("%v", err)
	}
	if s := c.Stats(); s.Compactions != 1 || s.Failures != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRun looks at once, and ends when it is told to.
func TestRun(t *testing.T) {
	w := newWorld()
	w.small(t)
	c := w.compactor(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for c.Stats().Compactions < 2 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%+v after a minute", c.Stats())
		}
	}
	cancel()
	check(t, <-done)
	w.kept(t)
	w.whole(t)
}
