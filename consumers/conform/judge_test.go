package conform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/metric/noop"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const (
	topic  = "events.flights"
	landed = "com.example.flight.landed"
)

// shelf has every generation of streams.
type shelf struct {
	mu        sync.Mutex
	asked     int // for the list
	recalled  int // for a history
	down      bool
	forgetful bool // histories cannot be read
	list      []registry.Spec
	old       []registry.Spec
}

func (s *shelf) ListSpecs(context.Context, string) ([]registry.Spec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.down {
		return nil, errors.New("catalog is away")
	}
	return slices.Clone(s.list), nil
}

func (s *shelf) SpecHistory(_ context.Context, kind, name string) ([]registry.Spec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recalled++; s.forgetful {
		return nil, errors.New("history is away")
	}
	return slices.DeleteFunc(append(slices.Clone(s.old), s.list...), func(one registry.Spec) bool {
		return one.Kind != kind || one.Name != name
	}), nil
}

func (s *shelf) away(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// apply declares a stream whose types have schemas.
func (s *shelf) apply(name string, schemas map[string]string) registry.Spec {
	return s.applyAt(time.Now(), name, schemas)
}

func (s *shelf) applyAt(when time.Time, name string, schemas map[string]string) registry.Spec {
	types := map[string]map[string]json.RawMessage{}
	for typ, schema := range schemas {
		types[typ] = map[string]json.RawMessage{"schema": json.RawMessage(schema)}
	}
	body, err := json.Marshal(map[string]any{"types": types})
	if err != nil {
		panic(err)
	}
	return s.put(when, name, body)
}

func (s *shelf) put(when time.Time, name string, body []byte) registry.Spec {
	one := registry.Spec{Kind: "Stream", Name: name, Body: body, Digest: cas.Sum(body), Generation: 1, Updated: when}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(slices.DeleteFunc(s.list, func(old registry.Spec) bool {
		if old.Name == name {
			one.Generation = old.Generation + 1
			s.old = append(s.old, old)
		}
		return old.Name == name
	}), one)
	return one
}

func checker(t testing.TB, sh *shelf) *Checker {
	t.Helper()
	c, err := New(Config{Specs: sh, Metrics: noop.NewMeterProvider()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func flight(t testing.TB, typ, data string) events.Event {
	t.Helper()
	ev, err := events.New(typ, "urn:example:direct", "UA1", "1", time.Unix(1700000000, 0), json.RawMessage(data))
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// at is a place in a topic, appended now.
func at(topic string) events.Place {
	return events.Place{Position: events.Position{Topic: topic}, AppendTime: time.Now()}
}

const delays = `{"type":"object","required":["delay"],"properties":{"delay":{"type":"integer"}},"additionalProperties":false}`

func TestVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		flights := sh.apply("flights", map[string]string{landed: delays, "com.example.broken": `{"type":"nonsense"}`})
		sh.apply("orders", map[string]string{"com.example.paid": `{"type":"object"}`})
		c := checker(t, sh)
		time.Sleep(time.Hour) // the specs are older than the events
		text, empty := flight(t, landed, `{"delay":1}`), flight(t, landed, `{"delay":1}`)
		text.SetDataContentType("text/plain")
		empty.DataEncoded = nil
		for name, tc := range map[string]struct {
			ev     events.Event
			topic  string
			reason string
			schema bool
		}{
			"fits":                   {flight(t, landed, `{"delay":1}`), topic, "", false},
			"wrong member":           {flight(t, landed, `{"delay":"1"}`), topic, "schema_violation", true},
			"no JSON":                {withData(flight(t, landed, `{}`), `{"delay":`), topic, "schema_violation", true},
			"no data":                {empty, topic, "no_data", true},
			"another content type":   {text, topic, "unsupported_type", true},
			"a type that nobody has": {flight(t, "com.example.other", `{}`), topic, "undeclared_type", false},
			"another stream's type":  {flight(t, "com.example.paid", `{}`), topic, "undeclared_type", false},
			"a reserved type":        {flight(t, "dev.signalbox.tag.moved", `{}`), topic, "reserved_type", false},
			"an unusable schema":     {flight(t, "com.example.broken", `{}`), topic, "", false},
			"an undeclared stream":   {flight(t, landed, `{"delay":"1"}`), "events.nobody", "", false},
		} {
			err := c.HandleAt(t.Context(), tc.ev, at(tc.topic))
			if (err != nil) != (tc.reason != "") || events.PermanentReason(err) != tc.reason {
				t.Errorf("%s: %v, want %q", name, err, tc.reason)
			}
			if got := events.MisfitSchema(err); (got == flights.Digest.String()) != tc.schema {
				t.Errorf("%s: held against %q", name, got)
			}
		}
	})
}

func withData(ev events.Event, data string) events.Event {
	ev.DataEncoded = []byte(data)
	return ev
}

// TestSchemaChanges: an event is judged by what held when it was appended, as far as that is known.
func TestSchemaChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		sh.apply("flights", map[string]string{landed: delays})
		c := checker(t, sh)
		time.Sleep(time.Minute)
		old, oldPlace := flight(t, landed, `{"delay":1}`), at(topic)
		time.Sleep(time.Minute)
		sh.apply("flights", map[string]string{landed: strings.Replace(delays, "integer", "string", 1)})
		time.Sleep(time.Minute)
		if err := c.HandleAt(t.Context(), old, oldPlace); err != nil {
			t.Errorf("older than the schema: %v", err)
		}
		if err := c.HandleAt(t.Context(), old, at(topic)); events.PermanentReason(err) != "schema_violation" {
			t.Errorf("newer than the schema: %v", err)
		}
		// Whoever applies a schema may use it at once, before anybody looked.
		sh.apply("flights", map[string]string{landed: delays, "com.example.new": `{}`})
		if err := c.HandleAt(t.Context(), flight(t, "com.example.new", `{}`), at(topic)); err != nil {
			t.Errorf("right after it was declared: %v", err)
		}
	})
}

// TestCatalogAway: what fits goes on, and no verdict against an event is made of old knowledge.
func TestCatalogAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		sh.apply("flights", map[string]string{landed: delays})
		c := checker(t, sh)
		time.Sleep(time.Minute)
		if err := c.HandleAt(t.Context(), flight(t, landed, `{"delay":1}`), at(topic)); err != nil {
			t.Fatal(err)
		}
		sh.away(true)
		time.Sleep(time.Minute)
		if err := c.HandleAt(t.Context(), flight(t, landed, `{"delay":1}`), at(topic)); err != nil {
			t.Errorf("it fits what is known: %v", err)
		}
		if err := c.HandleAt(t.Context(), flight(t, landed, `{}`), at(topic)); err == nil || events.PermanentReason(err) != "" {
			t.Errorf("%v, want an error that is tried again", err)
		}
		sh.away(false)
		if err := c.HandleAt(t.Context(), flight(t, landed, `{}`), at(topic)); events.PermanentReason(err) != "schema_violation" {
			t.Errorf("%v", err)
		}
	})
}

// TestLooksAreFew: violations that are older than the last look cost none.
func TestLooksAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sh := &shelf{}
		sh.apply("flights", map[string]string{landed: delays})
		c := checker(t, sh)
		place := at(topic)
		place.AppendTime = time.Now().Add(time.Minute)
		time.Sleep(2 * time.Minute)
		for range 1000 {
			if err := c.HandleAt(t.Context(), flight(t, landed, `{}`), place); err == nil {
				t.Fatal("no violation")
			}
		}
		if sh.asked != 1 {
			t.Errorf("%d looks", sh.asked)
		}
	})
}

func TestProducersAreBounded(t *testing.T) {
	m, err := newMetrics(noop.NewMeterProvider())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 * maxProducers {
		m.producer(fmt.Sprint("urn:", i), landed)
	}
	if source, _ := m.producer("urn:0", landed); source != "urn:0" || len(m.producers) != maxProducers {
		t.Errorf("the first is %q, %d are known", source, len(m.producers))
	}
	if source, typ := m.producer("urn:late", landed); source != others || typ != others {
		t.Errorf("%q %q", source, typ)
	}
	fresh, _ := newMetrics(noop.NewMeterProvider())
	if source, _ := fresh.producer(strings.Repeat("x", 1000), landed); source != others {
		t.Error("a long source has a figure of its own")
	}
}

func BenchmarkHandleAt(b *testing.B) {
	sh := &shelf{}
	sh.apply("flights", map[string]string{landed: delays})
	c := checker(b, sh)
	ev, place := flight(b, landed, `{"delay":1}`), at(topic)
	if _, err := c.directory.After(b.Context(), time.Now()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.HandleAt(b.Context(), ev, place); err != nil {
			b.Fatal(err)
		}
	}
}
