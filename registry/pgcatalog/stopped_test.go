package pgcatalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// TestStoppedInTransaction: a process that sleeps inside a commit holds the rows that it touched. Whoever takes its partition
// over must not wait for it to wake, and it must learn that it is too late.
func TestStoppedInTransaction(t *testing.T) {
	db := pgtest.New(t)
	open := func() *pgcatalog.Ledger {
		c, err := pgcatalog.Open(t.Context(), pgcatalog.Config{URL: db.URL, IdleTransaction: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c.Ledger()
	}
	sleeper, heir := open(), open()
	p := ledger.Partition{TopicID: uuid.New(), Topic: "events.a"}
	claim, err := sleeper.Claim(t.Context(), p, "sleeper")
	if err != nil {
		t.Fatal(err)
	}
	asleep, awake, tries := make(chan struct{}), make(chan struct{}), 0
	late := make(chan error, 1)
	go func() {
		_, err := sleeper.Commit(t.Context(), ledger.Flush{Claim: claim, End: 10, Records: 10, Reason: ledger.ReasonAge}, func(int64) ([]events.Event, error) {
			if tries++; tries == 1 {
				close(asleep)
				<-awake
			}
			return nil, nil
		})
		late <- err
	}()
	<-asleep
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // it hangs for as long as the sleeper sleeps, if the server lets it
	defer cancel()
	taken, err := heir.Claim(ctx, p, "heir")
	if err != nil || taken.Next != 0 {
		t.Fatalf("%+v, %v", taken, err)
	}
	if _, err := heir.Commit(t.Context(), ledger.Flush{Claim: taken, End: 7, Records: 7, Reason: ledger.ReasonAge}, nil); err != nil {
		t.Fatal(err)
	}
	close(awake)
	if err := <-late; !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("the sleeper's commit: %v, want ErrFenced", err)
	}
}
