package ingest

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
)

// witness keeps what is appended.
type witness struct {
	publisher
	seen []events.Event
}

func (p *witness) Append(ctx context.Context, topic string, evs []events.Event) []events.Outcome {
	p.seen = append(p.seen, evs...)
	return p.publisher.Append(ctx, topic, evs)
}

// TestCreationContext: it is the request that creates an event, not the later sending.
func TestCreationContext(t *testing.T) {
	w := newWorld(t, nil)
	p := &witness{publisher: w.server.cfg.Publisher}
	w.server.cfg.Publisher = p
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	w.serve(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(rw, r.WithContext(trace.ContextWithSpanContext(r.Context(), sc)))
		})
	})
	own := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	w.until(flight("ours", ""))
	w.until(flight("theirs", `,"traceparent":"`+own+`"`))
	for _, ev := range append(p.seen, w.logged("events.flights")...) {
		got, _ := ev.Extensions()["traceparent"].(string)
		link, ok := events.TraceLink(ev)
		if ev.ID() == "theirs" && got != own || ev.ID() == "ours" && (!ok || link.SpanContext.TraceID() != sc.TraceID()) {
			t.Errorf("%s: traceparent %q", ev.ID(), got)
		}
	}
}

func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	defer otel.SetMeterProvider(before)
	w := newWorld(t, nil)
	w.batch("[" + flight("a", "") + "," + flight("b", "") + "," + strings.Replace(flight("c", ""), arrived, "com.example.made.up", 1) + ",7]")
	var got metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &got); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	names := map[string]bool{}
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			names[m.Name] = true
			sum, ok := m.Data.(metricdata.Sum[int64])
			if !ok || m.Name != "signalbox.ingest.events" {
				continue
			}
			for _, p := range sum.DataPoints {
				typ, _ := p.Attributes.Value("signalbox.event.type")
				result, _ := p.Attributes.Value("signalbox.result")
				counts[typ.AsString()+" "+result.AsString()] = p.Value
			}
		}
	}
	if counts[arrived+" acknowledged"] != 2 || counts["unknown unknown_type"] != 1 || counts["unknown malformed"] != 1 || len(counts) != 3 {
		t.Errorf("events %v", counts)
	}
	for _, name := range []string{"signalbox.ingest.bytes", "signalbox.ingest.duration", "signalbox.ingest.in_flight"} {
		if !names[name] {
			t.Errorf("no %s in %v", name, names)
		}
	}
}

func TestConfigFaultsAreListed(t *testing.T) {
	_, err := New(Config{Refresh: -1, LookGap: -1, MaxBytes: 1})
	for _, want := range []string{"publisher", "refresh", "look gap", "max bytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s named", err, want)
		}
	}
}
