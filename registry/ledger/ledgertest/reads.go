package ledgertest

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// testRecreatedTopic: the same name with another id is another topic, which starts again from 0.
func testRecreatedTopic(t *testing.T, l ledger.Ledger) {
	old, now := part("events.a", 0), part("events.a", 0)
	now.TopicID = uuid.NewSHA1(uuid.Nil, []byte("created again"))
	was := mustClaim(t, l, old, "me")
	mustCommit(t, l, flush(was, 0, 10), nil)
	mustClaim(t, l, part("events.a", 1), "me") // the new topic has one partition less

	c := mustClaim(t, l, now, "me")
	equal(t, "claim", c, ledger.Claim{Partition: now, Epoch: 1})
	mustCommit(t, l, flush(c, 0, 5), nil)
	if s := state(t, l, "events.a"); s.TopicID != now.TopicID || s.Next != 5 {
		t.Errorf("state = %+v, want the new topic's: the old one's watermark would stand still for ever", s)
	}
	// What was read from the old one before is archived all the same, and stays.
	mustCommit(t, l, flush(was, 10, 12), nil)
	mustClaim(t, l, old, "late")
	if s := state(t, l, "events.a"); s.TopicID != now.TopicID {
		t.Error("a claim on the old topic made it the current one")
	}
	files, err := l.Files(t.Context(), ledger.FileQuery{Topic: "events.a"})
	if err != nil || len(files) != 3 {
		t.Errorf("files = %+v, %v, want those of both topics", files, err)
	}
	if got := allFlushes(t, l, old); len(got) != 2 || got[1].End != 12 {
		t.Errorf("flushes of the old topic = %+v", got)
	}
	all, err := l.Partitions(t.Context(), "")
	if err != nil || len(all) != 1 {
		t.Errorf("all partitions = %+v, %v, want 1", all, err)
	}
	ever, err := l.History(t.Context())
	if err != nil || len(ever) != 3 {
		t.Fatalf("partitions of all times = %+v, %v, want 3", ever, err)
	}
	next := map[ledger.Partition]int64{}
	for _, p := range ever {
		next[p.Partition] = p.Next
	}
	equal(t, "history", next, map[ledger.Partition]int64{old: 12, part("events.a", 1): 0, now: 5})
}

func testObserve(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	for _, step := range []struct {
		through, event         int64
		caughtUp               bool
		wantThrough, wantEvent int64
	}{
		{100, 50, true, 100, 50},
		{90, 60, false, 100, 60}, // each clock for itself, and never back
		{110, 40, true, 110, 60},
	} {
		if err := l.Observe(t.Context(), c, at(step.through), at(step.event), step.caughtUp); err != nil {
			t.Fatal(err)
		}
		s := state(t, l, "events.a")
		if !s.ArchivedThrough.Equal(at(step.wantThrough)) || !s.EventTime.Equal(at(step.wantEvent)) || s.CaughtUp != step.caughtUp || s.Next != 0 {
			t.Errorf("after %+v: %+v", step, s)
		}
	}
	// A claim is as good after commits as before.
	mustCommit(t, l, flush(c, 0, 10), nil)
	if err := l.Observe(t.Context(), c, at(200), at(60), true); err != nil {
		t.Errorf("after a commit: %v", err)
	}
	fenced(t, "partition that was never claimed", l.Observe(t.Context(), ledger.Claim{Partition: part("events.b", 0), Epoch: 1}, at(1), at(1), true))
}

func testFiles(t *testing.T, l ledger.Ledger) {
	a, b := mustClaim(t, l, part("events.a", 0), "me"), mustClaim(t, l, part("events.b", 0), "me")
	one := flush(a, 0, 10) // appended in seconds 0 to 9
	one.Files = []ledger.File{file(a, "t", 0, 10), file(a, "u", 5, 6)}
	one = mustCommit(t, l, one, nil)
	two := mustCommit(t, l, flush(b, 0, 10), nil)
	three := mustCommit(t, l, flush(a, 10, 20), nil)
	t1, u1, t2, t3 := one.Files[0].Key, one.Files[1].Key, two.Files[0].Key, three.Files[0].Key
	for _, tc := range []struct {
		name string
		q    ledger.FileQuery
		want []string
	}{
		{"all, by key", ledger.FileQuery{}, []string{t1, t3, u1, t2}},
		{"topic", ledger.FileQuery{Topic: "events.a"}, []string{t1, t3, u1}},
		{"type", ledger.FileQuery{Type: "u"}, []string{u1}},
		{"topic and type", ledger.FileQuery{Topic: "events.b", Type: "u"}, nil},
		{"up to the first", ledger.FileQuery{UpToSeq: one.Seq}, []string{t1, u1}},
		{"up to the second", ledger.FileQuery{UpToSeq: two.Seq}, []string{t1, u1, t2}},
		{"from the last append on", ledger.FileQuery{Topic: "events.a", From: at(9)}, []string{t1, t3}},
		{"from after it", ledger.FileQuery{Topic: "events.a", From: at(10)}, []string{t3}},
		{"before the first append", ledger.FileQuery{To: at(0)}, nil},
		{"before the next", ledger.FileQuery{Topic: "events.a", To: at(10)}, []string{t1, u1}},
		{"between", ledger.FileQuery{From: at(5), To: at(6)}, []string{t1, u1, t2}},
	} {
		files, err := l.Files(t.Context(), tc.q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range files {
			got = append(got, f.Key)
		}
		equal(t, tc.name, got, tc.want)
	}
	files, err := l.Files(t.Context(), ledger.FileQuery{Type: "u"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "file", files, []ledger.LedgerFile{{File: one.Files[1], Partition: a.Partition, Seq: one.Seq}})

	// Producers choose event times. RFC 3339 has years 0 and, an hour west of 9999, 10000.
	odd := flush(a, 20, 21)
	odd.Files[0].Type, odd.Files[0].MinTime, odd.Files[0].MaxTime = "odd", time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	odd = mustCommit(t, l, odd, nil)
	files, err = l.Files(t.Context(), ledger.FileQuery{Type: "odd"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "file of odd times", files, []ledger.LedgerFile{{File: odd.Files[0], Partition: a.Partition, Seq: odd.Seq}})
	fs, err := l.Flushes(t.Context(), a.Partition, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "flush of odd times", fs, []ledger.Flush{odd})
}

func testFlushes(t *testing.T, l ledger.Ledger) {
	c := mustClaim(t, l, part("events.a", 0), "me")
	for i := range int64(5) {
		mustCommit(t, l, flush(c, 10*i, 10*i+10), nil)
	}
	for _, tc := range []struct {
		name  string
		from  int64
		limit int
		want  []int64 // starts
	}{
		{"all", 0, 0, []int64{0, 10, 20, 30, 40}},
		{"page", 0, 2, []int64{0, 10}},
		{"next page", 20, 2, []int64{20, 30}},
		{"that holds an offset", 39, 1, []int64{30}},
		{"past the end", 50, 0, nil},
	} {
		fs, err := l.Flushes(t.Context(), c.Partition, tc.from, tc.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, f := range fs {
			got = append(got, f.Start)
		}
		equal(t, tc.name, got, tc.want)
	}
	if fs, err := l.Flushes(t.Context(), part("events.b", 0), 0, 0); err != nil || len(fs) != 0 {
		t.Errorf("flushes of no partition = %+v, %v", fs, err)
	}
}
