package registrytest

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Outbox is the power of a catalog to show the events that wait for the relay, oldest first. The suite needs it.
type Outbox interface {
	PendingEvents(ctx context.Context) ([]events.Event, error)
}

// TestCatalog runs the contract against catalogs that open returns, each of them empty and an Outbox.
func TestCatalog(t *testing.T, open func(t *testing.T) registry.Catalog) {
	tests := []struct {
		name string
		run  func(t *testing.T, c registry.Catalog)
	}{
		{"CreateRun", testCreateRun},
		{"CreateRunOncePerKey", testCreateRunOncePerKey},
		{"ChangeRun", testChangeRun},
		{"ChangeRunRefused", testChangeRunRefused},
		{"Claim", testClaim},
		{"OnePackagePerRun", testOnePackagePerRun},
		{"ListRuns", testListRuns},
		{"RunsByRequest", testRunsByRequest},
		{"RunPages", testRunPages},
		{"RetryOf", testRetryOf},
		{"CreateSweep", testCreateSweep},
		{"ChangeSweep", testChangeSweep},
		{"ChangeSweepConcurrently", testChangeSweepConcurrently},
		{"ListSweeps", testListSweeps},
		{"TrialsOfASweep", testTrialsOfASweep},
		{"LeaseBlobs", testLeaseBlobs},
		{"PutPackage", testPutPackage},
		{"PutPackageWithoutBlobs", testPutPackageWithoutBlobs},
		{"PutPackageOnce", testPutPackageOnce},
		{"ListPackages", testListPackages},
		{"Attest", testAttest},
		{"Datasets", testDatasets},
		{"MoveTag", testMoveTag},
		{"MoveTagRefused", testMoveTagRefused},
		{"MoveTagReplay", testMoveTagReplay},
		{"MoveTagReplayConcurrently", testMoveTagReplayConcurrently},
		{"MoveTagConcurrently", testMoveTagConcurrently},
		{"ListTags", testListTags},
		{"Specs", testSpecs},
		{"SpecHistory", testSpecHistory},
		{"OutboxOrder", testOutboxOrder},
		{"RandomTags", testRandomTags},
		{"RandomRuns", testRandomRuns},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.run(t, open(t)) })
	}
}

// writers is how many race in the concurrent tests.
const writers = 8

// race runs f writers times at once and waits.
func race(f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range writers {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}

// at is the n-th second of the suite's clock, in whole microseconds as databases keep them.
func at(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, n, 123456000, time.UTC) }

func digest(s string) cas.Digest { return cas.Sum([]byte(s)) }

func runID(s string) registry.RunID { return registry.RunID(uuid.NewSHA1(uuid.Nil, []byte(s))) }

// event makes one whose id says which mutation wrote it.
func event(t *testing.T, id string) events.Event {
	t.Helper()
	ev, err := events.New(events.TypeRunRequested, "/test", "subject", id, at(0), events.RunChanged{RunID: id, Model: "m"})
	if err != nil {
		t.Fatal(err)
	}
	ev.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	return ev
}

// wantOutbox fails unless exactly the events with these ids wait, in this order.
func wantOutbox(t *testing.T, c registry.Catalog, ids ...string) {
	t.Helper()
	var got []string
	for _, ev := range pending(t, c) {
		got = append(got, ev.ID())
	}
	if !slices.Equal(got, ids) {
		t.Errorf("outbox = %q, want %q", got, ids)
	}
}

func pending(t *testing.T, c registry.Catalog) []events.Event {
	t.Helper()
	o, ok := c.(Outbox)
	if !ok {
		t.Fatalf("%T has no PendingEvents(ctx) ([]events.Event, error)", c)
	}
	evs, err := o.PendingEvents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return evs
}

// equal compares by value: instants by time, empty and nil slices alike.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	g, w := flat(t, got), flat(t, want)
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s =\n  %s\nwant\n  %s", what, g, w)
	}
}

// flat is v as JSON with every instant in UTC. Members that JSON leaves out must be compared on their own.
func flat(t *testing.T, v any) string {
	t.Helper()
	switch x := v.(type) {
	case registry.Run:
		x.Created, x.Updated = x.Created.UTC(), x.Updated.UTC()
		x.History = slices.Clone(x.History)
		for i := range x.History {
			x.History[i].At = x.History[i].At.UTC()
		}
		if len(x.Artifacts) == 0 {
			x.Artifacts = nil
		}
		v = x
	case registry.Sweep:
		x.Created, x.Updated = x.Created.UTC(), x.Updated.UTC()
		x.History = slices.Clone(x.History)
		for i := range x.History {
			x.History[i].At = x.History[i].At.UTC()
		}
		v = x
	case registry.Package:
		x.Created = x.Created.UTC()
		v = x
	case registry.Dataset:
		x.Start, x.End, x.Watermark, x.Created = x.Start.UTC(), x.End.UTC(), x.Watermark.UTC(), x.Created.UTC()
		v = x
	case registry.Attestation:
		x.Created = x.Created.UTC()
		v = x
	case registry.Spec:
		x.Updated = x.Updated.UTC()
		v = x
	case registry.TagState:
		x.At = x.At.UTC()
		v = struct {
			Tag registry.Tag
			registry.TagState
		}{x.Tag, x}
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
