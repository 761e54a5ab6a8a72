package ingest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/registry/streams"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// departed is an event of about half a kilobyte, as the example of the flights sends it.
func departed(id int) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":"2013-03-01-UA-%d-EWR","source":"/airports/ewr","type":"flight.departed","subject":"N14228",`+
		`"time":"2013-03-01T10:17:00Z","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","data":{"flight_id":"2013-03-01-UA-1545-EWR",`+
		`"carrier":"UA","flight":1545,"origin":"EWR","dest":"IAH","tail_number":"N14228","scheduled_departure":"2013-03-01T10:15:00Z",`+
		`"actual_departure":"2013-03-01T10:17:00Z","departure_delay":2,"distance":1400}}`, id)
}

func flightSpecs(b *testing.B) *registrytest.Memory {
	b.Helper()
	text, err := os.ReadFile("../../deploy/examples/flights/specs/stream.yaml")
	if err != nil {
		b.Fatal(err)
	}
	docs, err := spec.Parse(text)
	if err != nil {
		b.Fatal(err)
	}
	m := registrytest.NewMemory()
	for _, d := range docs {
		if _, _, err := m.PutSpec(b.Context(), registry.Spec{Kind: d.Kind, Name: d.Metadata.Name, Body: d.Spec}); err != nil {
			b.Fatal(err)
		}
	}
	return m
}

// BenchmarkI3 compares the envelope alone with the envelope and the schema, one after the other within each round, and
// reports the ratio of the medians.
func BenchmarkI3(b *testing.B) {
	directory, err := streams.New(streams.Config{Specs: flightSpecs(b)})
	if err != nil {
		b.Fatal(err)
	}
	t, err := directory.After(b.Context(), time.Now())
	if err != nil {
		b.Fatal(err)
	}
	raw := []byte(departed(1))
	schema := t.Contract("flight.departed").Schema
	const calls = 2000
	var alone, both []float64
	for b.Loop() {
		begin := time.Now()
		for range calls {
			if _, err := events.ParseJSON(raw); err != nil {
				b.Fatal(err)
			}
		}
		middle := time.Now()
		for range calls {
			ev, err := events.ParseJSON(raw)
			if err == nil {
				err = schema.Check(ev.DataEncoded)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		alone = append(alone, float64(middle.Sub(begin))/calls)
		both = append(both, float64(time.Since(middle))/calls)
	}
	slices.Sort(alone)
	slices.Sort(both)
	a, c := alone[len(alone)/2], both[len(both)/2]
	b.ReportMetric(a, "ns/envelope")
	b.ReportMetric(c, "ns/both")
	b.ReportMetric(c/a, "ratio")
	b.ReportMetric(0, "ns/op")
}

// taker is a log that takes everything at once.
type taker struct{}

func (taker) Append(_ context.Context, topic string, evs []events.Event) []events.Outcome {
	outs := make([]events.Outcome, len(evs))
	for i := range outs {
		outs[i].Position = events.Position{Topic: topic, Offset: int64(i)}
	}
	return outs
}

// BenchmarkPost is the whole way of a request, but the network and the log.
func BenchmarkPost(b *testing.B) {
	s, err := New(Config{Publisher: taker{}, Specs: flightSpecs(b)})
	if err != nil {
		b.Fatal(err)
	}
	text, tok, err := auth.NewToken("bench", auth.Producer)
	if err != nil {
		b.Fatal(err)
	}
	who, err := auth.New([]auth.Token{tok}, []byte(strings.Repeat("k", 32)))
	if err != nil {
		b.Fatal(err)
	}
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: who})
	if err != nil {
		b.Fatal(err)
	}
	s.Routes(rt)
	var list []string
	for i := range 100 {
		list = append(list, departed(i))
	}
	for name, c := range map[string]struct {
		media, body string
		want        int
	}{
		"single":    {mediaStructured, departed(1), http.StatusAccepted},
		"batch-100": {mediaBatch, "[" + strings.Join(list, ",") + "]", http.StatusOK},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			body := []byte(c.body)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/events", bytes.NewReader(body))
				r.Header.Set("Content-Type", c.media)
				r.Header.Set("Authorization", "Bearer "+text)
				w := httptest.NewRecorder()
				if rt.ServeHTTP(w, r); w.Code != c.want {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
}
