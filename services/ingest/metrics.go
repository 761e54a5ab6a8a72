package ingest

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// metrics are what a server measures besides the requests that package httpapi measures.
type metrics struct {
	events  metric.Int64Counter
	bytes   metric.Int64Counter
	latency metric.Float64Histogram
	held    metric.Int64ObservableGauge
}

func newMetrics(bytes *budget, max int64) (metrics, error) {
	m := otel.Meter("signalbox/ingest")
	var out metrics
	var faults [4]error
	out.events, faults[0] = m.Int64Counter("signalbox.ingest.events", metric.WithDescription("Events received, by type and by what became of them."))
	out.bytes, faults[1] = m.Int64Counter("signalbox.ingest.bytes", metric.WithUnit("By"), metric.WithDescription("Bodies received, unpacked."))
	out.latency, faults[2] = m.Float64Histogram("signalbox.ingest.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the arrival of a request to the log's answer about the last of its events."))
	out.held, faults[3] = m.Int64ObservableGauge("signalbox.ingest.in_flight", metric.WithUnit("By"),
		metric.WithDescription("Bodies in memory."), metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(max - bytes.left.Load())
			return nil
		}))
	return out, errors.Join(faults[:]...)
}

// outcome is what events are counted by. A type that no stream declares is not named: anybody can make those up.
type outcome struct{ typ, result string }

func (m metrics) done(ctx context.Context, items []*item, bytes int, took time.Duration) {
	counts := map[outcome]int64{}
	worst := "acknowledged"
	for _, it := range items {
		o := outcome{"unknown", "acknowledged"}
		if it.contract != nil {
			o.typ = it.ev.Type()
		}
		if it.fault != nil {
			o.result, worst = it.fault.Code, "refused"
		}
		counts[o]++
	}
	for o, n := range counts {
		m.events.Add(ctx, n, metric.WithAttributes(attribute.String("signalbox.event.type", o.typ), attribute.String("signalbox.result", o.result)))
	}
	m.bytes.Add(ctx, int64(bytes))
	m.latency.Record(ctx, took.Seconds(), metric.WithAttributes(attribute.String("signalbox.result", worst)))
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int("signalbox.events", len(items)), attribute.Int("signalbox.bytes", bytes))
}
