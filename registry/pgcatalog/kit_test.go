package pgcatalog_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func sum(s string) cas.Digest { return cas.Sum([]byte(s)) }

func at(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC) }

func production() registry.Tag { return registry.Tag{Model: "fraud", Name: "production"} }

func tagMove(expect int64, op string) registry.TagMove {
	return registry.TagMove{Tag: production(), Expect: expect, Arms: []registry.Arm{{Package: sum(op), Weight: 10000}}, Op: op, At: at(1)}
}

func event(t testing.TB, id string) events.Event {
	t.Helper()
	ev, err := events.New(events.TypeTagMoved, "/test", "fraud/production", id, at(0), events.TagMoved{Tag: "fraud/production"})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func newRun(key string) registry.Run {
	return registry.Run{
		ID: registry.RunID(uuid.NewSHA1(uuid.Nil, []byte(key))), Key: sum(key), Model: "fraud", Request: []byte(`{}`),
		State: registry.RunRequested, Created: at(1), Updated: at(1),
	}
}

func descriptor(s string) cas.Descriptor {
	return cas.Descriptor{MediaType: "text/plain", Digest: sum(s), Size: int64(len(s))}
}

func newPackage(name string, blobs ...cas.Descriptor) registry.Package {
	return registry.Package{ID: sum("package " + name), Manifest: []byte(name), Model: "fraud", Created: at(1), Blobs: blobs}
}
