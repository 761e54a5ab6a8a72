package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// shelf is a catalog that can fail and counts how often it is asked.
type shelf struct {
	specs
	asked atomic.Int64
	down  atomic.Bool
}

func (s *shelf) ListSpecs(ctx context.Context, kind string) ([]registry.Spec, error) {
	s.asked.Add(1)
	if s.down.Load() {
		return nil, errors.New("catalog is away")
	}
	if s.specs == nil {
		return nil, nil
	}
	return s.specs.ListSpecs(ctx, kind)
}

const lateStream = `apiVersion: signalbox.dev/v1
kind: Stream
metadata: {name: late}
spec: {partitions: 1, types: {com.example.late: {schema: {type: object, properties: {delay: {type: integer}}, additionalProperties: false}}}}
`

func late(data string) string {
	return strings.NewReplacer(arrived, "com.example.late", `{"delay":3}`, data).Replace(flight("l", ""))
}

func TestRightAfterApply(t *testing.T) {
	w := newWorld(t, nil) // nothing polls here: every look is the request's own
	if a := w.structured(late(`{"delay":1}`)); a.status != 422 || a.doc.Code != "unknown_type" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for round := range 3 {
		member := strings.Repeat("x", round+1)
		w.apply(strings.Replace(lateStream, "delay:", member+": {type: string}, delay:", 1))
		if a := w.structured(late(`{"delay":1,"` + member + `":"new"}`)); a.status != 202 {
			t.Fatalf("round %d: %d %s", round, a.status, a.body)
		}
	}
	if a := w.structured(late(`{"x":"gone"}`)); a.status != 422 {
		t.Errorf("a member that is no longer declared: %d %s", a.status, a.body)
	}
	if n := w.count("events.late"); n["l"] != 3 {
		t.Errorf("logged %v", n)
	}
}

func TestCatalogAway(t *testing.T) {
	sh := &shelf{}
	w := newWorld(t, func(c *Config, _ *kafka.ProducerConfig) { sh.specs, c.Specs = c.Specs, sh })
	if a := w.structured(flight("a", "")); a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sh.down.Store(true)
	if a := w.structured(flight("b", "")); a.status != 202 {
		t.Errorf("a known type is held up: %d %s", a.status, a.body)
	}
	for _, body := range []string{late(`{}`), strings.Replace(flight("c", ""), "3", `"3"`, 1)} {
		if a := w.structured(body); a.status != 503 || a.doc.Code != "streams_unknown" || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "away") {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	sh.down.Store(false)
	if a := w.structured(late(`{}`)); a.status != 422 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestUnusableSpecs(t *testing.T) {
	w := newWorld(t, nil)
	put := func(name, body string) {
		t.Helper()
		s := registry.Spec{Kind: "Stream", Name: name, Body: json.RawMessage(body), Digest: cas.Sum([]byte(body))}
		if _, _, err := w.catalog.PutSpec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	put("late", `{"types":{"com.example.late":{"schema":{"type":"nonsense"}}}}`)
	put("flights", `{"types":{},"from":"the future"}`)
	if a := w.structured(late(`{}`)); a.status != 503 || a.doc.Code != "unusable_schema" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.structured(strings.Replace(flight("a", ""), arrived, paid, 1)); a.status != 202 {
		t.Errorf("another stream suffers: %d %s", a.status, a.body)
	}
}
