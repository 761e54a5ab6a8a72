package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
)

// The span of a handler is a trace of its own that links to where the event was made and to how it travelled.
func TestHandlingLinksToCreationAndTransport(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		spans := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
		cfg := b.cfg
		cfg.Tracing = provider
		p := b.producer(kafka.ProducerConfig{Config: cfg})

		ctx, made := provider.Tracer("test").Start(t.Context(), "made long ago")
		carrier := propagation.MapCarrier{}
		propagation.TraceContext{}.Inject(ctx, carrier)
		old := thing(t, "old")
		old.SetExtension("traceparent", carrier["traceparent"])
		requestCtx, request := provider.Tracer("test").Start(t.Context(), "request")
		for _, ev := range []events.Event{old, thing(t, "new")} {
			if out := p.Append(requestCtx, topic, []events.Event{ev})[0]; out.Err != nil {
				t.Fatal(out.Err)
			}
		}
		seen := map[string]string{} // id: the event's own traceparent
		done := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Config: cfg, Handler: events.HandlerFunc(func(ctx context.Context, ev events.Event) error {
			if !trace.SpanContextFromContext(ctx).IsValid() {
				t.Error("the handler has no span")
			}
			seen[ev.ID()], _ = ev.Extensions()["traceparent"].(string)
			done.add(ev.ID())
			return nil
		})}).Run)
		b.within(time.Minute, "both are handled", func() bool { return done.count("") == 2 })

		if seen["old"] != carrier["traceparent"] {
			t.Errorf("creation context was rewritten to %s", seen["old"])
		}
		var sends, handles []tracetest.SpanStub
		for _, s := range spans.GetSpans() {
			switch s.SpanKind {
			case trace.SpanKindProducer:
				sends = append(sends, s)
			case trace.SpanKindConsumer:
				handles = append(handles, s)
			}
		}
		if len(sends) != 2 || len(handles) != 2 {
			t.Fatalf("%d sends, %d handles", len(sends), len(handles))
		}
		for i, h := range handles {
			if h.Parent.IsValid() || h.SpanContext.TraceID() == request.SpanContext().TraceID() || len(h.Links) != 2 {
				t.Errorf("span %d: parent %v, links %v", i, h.Parent, h.Links)
				continue
			}
			creation := made.SpanContext().SpanID()
			if i == 1 {
				creation = sends[1].SpanContext.SpanID()
			}
			if h.Links[0].SpanContext.SpanID() != creation || h.Links[1].SpanContext.SpanID() != sends[i].SpanContext.SpanID() {
				t.Errorf("span %d links to %v", i, h.Links)
			}
		}
	})
}

func TestInstruments(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, b *bubble) {
		reader := sdkmetric.NewManualReader()
		cfg := b.cfg
		cfg.Metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		p := b.producer(kafka.ProducerConfig{Config: cfg})
		p.Append(t.Context(), topic, []events.Event{thing(t, "a"), thing(t, "b")})
		p.TryPublish(lifecycle(t, "p"))
		done := &handled{}
		b.start(b.consumer(kafka.ConsumerConfig{Config: cfg, Handler: events.HandlerFunc(func(_ context.Context, ev events.Event) error {
			done.add(ev.ID())
			if ev.ID() == "a" {
				return events.Permanent("why", errors.New("because"))
			}
			return nil
		})}).Run)
		b.within(time.Minute, "both are handled", func() bool { return done.count("") == 2 })
		var data metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &data); err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, sm := range data.ScopeMetrics {
			for _, m := range sm.Metrics {
				switch d := m.Data.(type) {
				case metricdata.Sum[int64]:
					for _, point := range d.DataPoints {
						got[m.Name] += point.Value
					}
				case metricdata.Histogram[float64]:
					for _, point := range d.DataPoints {
						got[m.Name] += int64(point.Count)
					}
				}
			}
		}
		for name, want := range map[string]int64{"messaging.client.sent.messages": 2, "messaging.client.operation.duration": 1,
			"messaging.client.consumed.messages": 2, "messaging.process.duration": 2, "signalbox.dlq.records": 1, "signalbox.publish.best_effort": 2} {
			if got[name] != want {
				t.Errorf("%s: %d, want %d", name, got[name], want)
			}
		}
	})
}
