package ledgertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Outbox is the power of a ledger to show the events that wait for the relay, oldest first. The suite needs it.
type Outbox interface {
	PendingEvents(ctx context.Context) ([]events.Event, error)
}

// TestLedger runs the contract against ledgers that open returns, each of them empty and an Outbox.
func TestLedger(t *testing.T, open func(t *testing.T) ledger.Ledger) {
	tests := []struct {
		name string
		run  func(t *testing.T, l ledger.Ledger)
	}{
		{"Claim", testClaim},
		{"Commit", testCommit},
		{"CommitRepeated", testCommitRepeated},
		{"CommitRefused", testCommitRefused},
		{"Zombie", testZombie},
		{"Lost", testLost},
		{"Seal", testSeal},
		{"RecreatedTopic", testRecreatedTopic},
		{"Observe", testObserve},
		{"Files", testFiles},
		{"Flushes", testFlushes},
		{"Swap", testSwap},
		{"SwapRefused", testSwapRefused},
		{"Purge", testPurge},
		{"Inventory", testInventory},
		{"Restore", testRestore},
		{"RestoreRefused", testRestoreRefused},
		{"RivalOwners", testRivalOwners},
		{"SeqIsSnapshot", testSeqIsSnapshot},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
	}
}

// at is the n-th second of the suite's clock.
func at(n int64) time.Time {
	return time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC).Add(time.Duration(n) * time.Second)
}

// part is partition n of a topic, whose id comes from the name.
func part(topic string, n int32) ledger.Partition {
	return ledger.Partition{TopicID: uuid.NewSHA1(uuid.Nil, []byte(topic)), Topic: topic, Partition: n}
}

func mustClaim(t *testing.T, l ledger.Ledger, p ledger.Partition, owner string) ledger.Claim {
	t.Helper()
	c, err := l.Claim(t.Context(), p, owner)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// file holds the offsets [start, end) of c's partition, written by c.
func file(c ledger.Claim, typ string, start, end int64) ledger.File {
	key := fmt.Sprintf("archive/v1/topic=%s.%s/type=%s/p%d-%d-%d-%d.parquet", c.Topic, c.TopicID, typ, c.Partition.Partition, start, end, c.Epoch)
	return ledger.File{
		Key: key, Digest: cas.Sum([]byte(key)), Bytes: 100 + end, Rows: end - start, Type: typ, Hour: at(0).Truncate(time.Hour),
		Start: start, End: end, MinTime: at(start - 7), MaxTime: at(end - 8), MinSeen: at(start), MaxSeen: at(end - 1),
	}
}

// flush extends c from start to end with one file.
func flush(c ledger.Claim, start, end int64) ledger.Flush {
	c.Next = start
	return ledger.Flush{
		Claim: c, Start: start, End: end, Records: end - start, Reason: ledger.ReasonSize,
		Files:    []ledger.File{file(c, "t", start, end)},
		Manifest: fmt.Sprintf("manifests/%d", start), Committed: at(end + 100),
		Previous: cas.Sum(fmt.Append(nil, "before ", start)), ArchivedThrough: at(end - 1), EventTime: at(end - 8),
	}
}

func mustCommit(t *testing.T, l ledger.Ledger, f ledger.Flush, seal func(int64) ([]events.Event, error)) ledger.Flush {
	t.Helper()
	got, err := l.Commit(t.Context(), f, seal)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// fenced fails unless err is ErrFenced.
func fenced(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("%s: %v, want ErrFenced", what, err)
	}
}

// sealed makes one event whose id says which flush wrote it, and in which place.
func sealed(t *testing.T, id string) func(int64) ([]events.Event, error) {
	return func(seq int64) ([]events.Event, error) {
		ev, err := events.New(events.TypeArchiveSealed, "/test", "s", id, at(0), events.ArchiveSealed{Stream: "s", Seq: seq})
		if err != nil {
			t.Error(err)
		}
		return []events.Event{ev}, nil
	}
}

func wantOutbox(t *testing.T, l ledger.Ledger, ids ...string) {
	t.Helper()
	o, ok := l.(Outbox)
	if !ok {
		t.Fatalf("%T has no PendingEvents(ctx) ([]events.Event, error)", l)
	}
	evs, err := o.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range evs {
		got = append(got, ev.ID())
	}
	if !slices.Equal(got, ids) {
		t.Errorf("outbox = %q, want %q", got, ids)
	}
}

// state returns the one partition of topic.
func state(t *testing.T, l ledger.Ledger, topic string) ledger.PartitionState {
	t.Helper()
	ps, err := l.Partitions(t.Context(), topic)
	if err != nil || len(ps) != 1 {
		t.Fatalf("partitions of %s = %+v, %v, want 1", topic, ps, err)
	}
	return ps[0]
}

func allFlushes(t *testing.T, l ledger.Ledger, p ledger.Partition) []ledger.Flush {
	t.Helper()
	var all []ledger.Flush
	for from := int64(0); ; {
		got, err := l.Flushes(t.Context(), p, from, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return all
		}
		all = append(all, got...)
		from = got[len(got)-1].End
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s =\n  %+v\nwant\n  %+v", what, got, want)
	}
}
