package ledgertest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

func testClaim(t *testing.T, l ledger.Ledger) {
	p := part("events.a", 3)
	for epoch := range int64(3) {
		equal(t, "claim", mustClaim(t, l, p, "me"), ledger.Claim{Partition: p, Epoch: epoch + 1})
	}
	// Each partition has epochs of its own.
	equal(t, "other partition", mustClaim(t, l, part("events.a", 0), "you"), ledger.Claim{Partition: part("events.a", 0), Epoch: 1})
	ps, err := l.Partitions(t.Context(), "events.a")
	if err != nil || len(ps) != 2 {
		t.Fatalf("partitions = %+v, %v, want 2", ps, err)
	}
	if ps[0].Partition.Partition != 0 || ps[0].Owner != "you" || ps[1].Epoch != 3 || ps[1].Next != 0 || ps[1].CaughtUp ||
		!ps[1].ArchivedThrough.IsZero() || ps[1].Updated.IsZero() {
		t.Errorf("partitions = %+v", ps)
	}
	if ps, err := l.Partitions(t.Context(), "events.none"); err != nil || len(ps) != 0 {
		t.Errorf("partitions of no topic = %+v, %v", ps, err)
	}
}

func testCommit(t *testing.T, l ledger.Ledger) {
	p := part("events.a", 0)
	c := mustClaim(t, l, p, "me")
	one := flush(c, 0, 10)
	one.Files = []ledger.File{file(c, "t", 0, 9), file(c, "u", 3, 10)}
	one.Records, one.CaughtUp = 8, true // two offsets hold no record
	want := one
	want.Seq = 1
	equal(t, "committed", mustCommit(t, l, one, nil), want)

	s := state(t, l, p.Topic)
	if s.Next != 10 || s.Epoch != 1 || s.Owner != "me" || !s.CaughtUp || !s.ArchivedThrough.Equal(at(9)) || !s.EventTime.Equal(at(2)) {
		t.Errorf("state = %+v", s)
	}
	two := mustCommit(t, l, flush(c, 10, 30), nil)
	if two.Seq <= 1 {
		t.Errorf("seq %d after 1", two.Seq)
	}
	equal(t, "flushes", allFlushes(t, l, p), []ledger.Flush{want, two})
	again := mustClaim(t, l, p, "you")
	equal(t, "claim after commits", again, ledger.Claim{Partition: p, Epoch: 2, Next: 30})

	// The clock of a flush does not take the partition's back.
	late := flush(again, 30, 31)
	late.ArchivedThrough, late.EventTime = at(1), at(0)
	mustCommit(t, l, late, nil)
	if s := state(t, l, p.Topic); !s.ArchivedThrough.Equal(at(29)) || !s.EventTime.Equal(at(22)) {
		t.Errorf("watermark went back to %v, %v", s.ArchivedThrough, s.EventTime)
	}
	// One that says nothing about when it was made gets a time.
	undated := flush(again, 31, 32)
	undated.Committed = time.Time{}
	if got := mustCommit(t, l, undated, nil); got.Committed.IsZero() {
		t.Error("a flush without a time of commit")
	}
}

func testCommitRepeated(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	f := flush(c, 0, 10)
	first := mustCommit(t, l, f, sealed(t, "e1"))
	mustCommit(t, l, flush(c, 10, 20), sealed(t, "e2"))
	for range 2 { // at once, and after somebody else took over
		equal(t, "repeat", mustCommit(t, l, f, sealed(t, "never")), first)
		mustClaim(t, l, c.Partition, "you")
	}
	if s := state(t, l, "events.a"); s.Next != 20 {
		t.Errorf("next offset %d after a repeat, want 20", s.Next)
	}
	// The same start is not the same flush.
	longer := flush(c, 0, 11)
	_, err := l.Commit(t.Context(), longer, sealed(t, "never"))
	fenced(t, "another flush in the place of one", err)
	wantOutbox(t, l, "e1", "e2")
}

func testCommitRefused(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	mustCommit(t, l, flush(c, 0, 10), nil)
	for _, tc := range []struct {
		name       string
		start, end int64
	}{{"gap", 11, 20}, {"overlap", 9, 20}, {"from the start", 0, 20}} {
		_, err := l.Commit(t.Context(), flush(c, tc.start, tc.end), sealed(t, "never"))
		fenced(t, tc.name, err)
	}
	unknown := c
	unknown.TopicID = uuid.NewSHA1(uuid.Nil, []byte("nobody claimed this"))
	_, err := l.Commit(t.Context(), flush(unknown, 0, 10), sealed(t, "never"))
	fenced(t, "partition that was never claimed", err)

	good := flush(c, 10, 20)
	for name, spoil := range map[string]func(f *ledger.Flush){
		"empty range":       func(f *ledger.Flush) { f.End = f.Start },
		"backward range":    func(f *ledger.Flush) { f.End = f.Start - 1 },
		"negative start":    func(f *ledger.Flush) { f.Start = -1 },
		"too many records":  func(f *ledger.Flush) { f.Records = 11 },
		"negative records":  func(f *ledger.Flush) { f.Records = -1 },
		"no reason":         func(f *ledger.Flush) { f.Reason = "" },
		"file outside":      func(f *ledger.Flush) { f.Files[0].End = 21 },
		"file without key":  func(f *ledger.Flush) { f.Files[0].Key = "" },
		"file without hash": func(f *ledger.Flush) { f.Files[0].Digest = cas.Digest{} },
		"type with a zero":  func(f *ledger.Flush) { f.Files[0].Type = "a\x00b" },
		"type not in UTF-8": func(f *ledger.Flush) { f.Files[0].Type = "a\xff" },
		"type without end":  func(f *ledger.Flush) { f.Files[0].Type = strings.Repeat("t", 1025) },
		"file known before": func(f *ledger.Flush) { f.Files[0].Key = flush(c, 0, 10).Files[0].Key },
	} {
		f := good
		f.Files = []ledger.File{good.Files[0]}
		spoil(&f)
		if _, err := l.Commit(t.Context(), f, sealed(t, "never")); err == nil || errors.Is(err, ledger.ErrFenced) {
			t.Errorf("%s: %v, want an error that is not ErrFenced", name, err)
		}
	}
	mustCommit(t, l, good, sealed(t, "e"))
	wantOutbox(t, l, "e")
}

// testZombie: an owner that was paused while another took over can do nothing any more.
func testZombie(t *testing.T, l ledger.Ledger) {
	p := part("events.a", 0)
	zombie := mustClaim(t, l, p, "old")
	mustCommit(t, l, flush(zombie, 0, 10), sealed(t, "e1"))
	owner := mustClaim(t, l, p, "new")

	_, err := l.Commit(t.Context(), flush(zombie, 10, 20), sealed(t, "never"))
	fenced(t, "zombie's commit before the owner's", err)
	fenced(t, "zombie's observation", l.Observe(t.Context(), zombie, at(1000), at(1000), true))
	mustCommit(t, l, flush(owner, 10, 15), sealed(t, "e2"))
	for _, start := range []int64{10, 15} {
		_, err = l.Commit(t.Context(), flush(zombie, start, 20), sealed(t, "never"))
		fenced(t, "zombie's commit after the owner's", err)
	}
	if s := state(t, l, p.Topic); s.Next != 15 || s.CaughtUp || !s.ArchivedThrough.Equal(at(14)) || s.Owner != "new" {
		t.Errorf("state = %+v", s)
	}
	files, err := l.Files(t.Context(), ledger.FileQuery{})
	if err != nil || len(files) != 2 {
		t.Errorf("files = %+v, %v, want the owners' 2", files, err)
	}
	wantOutbox(t, l, "e1", "e2")
}

// testLost: what retention removed first is a flush too, so that the positions have no gap.
func testLost(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	lost := flush(c, 0, 500)
	lost.Files, lost.Records, lost.Reason = nil, 0, ledger.ReasonLost
	first := mustCommit(t, l, lost, sealed(t, "e1"))
	second := mustCommit(t, l, flush(c, 500, 510), sealed(t, "e2"))
	got := allFlushes(t, l, c.Partition)
	equal(t, "flushes", got, []ledger.Flush{first, second})
	if len(got[0].Files) != 0 || got[0].Reason != ledger.ReasonLost {
		t.Errorf("lost range = %+v", got[0])
	}
	wantOutbox(t, l, "e1", "e2")
}

func testSeal(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	broken := errors.New("cannot say it")
	_, err := l.Commit(t.Context(), flush(c, 0, 10), func(int64) ([]events.Event, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("Commit: %v, want the seal's error", err)
	}
	if s := state(t, l, "events.a"); s.Next != 0 {
		t.Errorf("next offset %d after a refused seal", s.Next)
	}
	wantOutbox(t, l)
	var seen int64
	f := mustCommit(t, l, flush(c, 0, 10), func(seq int64) ([]events.Event, error) {
		seen = seq
		return sealed(t, "e1")(seq)
	})
	if seen != f.Seq || seen == 0 {
		t.Errorf("seal saw seq %d, the flush has %d", seen, f.Seq)
	}
	wantOutbox(t, l, "e1")
}
