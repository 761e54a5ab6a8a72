package ingest

import (
	"context"
	"errors"
	"sync"
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

	labels *sync.Map // outcome to metric.MeasurementOption: there are as many as declared types and codes
}

func newMetrics(bytes *budget, max int64) (metrics, error) {
	m := otel.Meter("signalbox/ingest")
	out := metrics{labels: &sync.Map{}}
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
	worst := "acknowledged"
	var last outcome
	var n int64 // events in a row of which the same became
	for _, it := range items {
		o := outcome{"unknown", "acknowledged"}
		if it.contract != nil {
			o.typ = it.ev.Type()
		}
		if it.fault != nil {
			o.result, worst = it.fault.Code, "refused"
		}
		if o != last && n > 0 {
			m.events.Add(ctx, n, m.labelled(last))
			n = 0
		}
		last, n = o, n+1
	}
	if n > 0 {
		m.events.Add(ctx, n, m.labelled(last))
	}
	m.bytes.Add(ctx, int64(bytes))
	m.latency.Record(ctx, took.Seconds(), m.labelled(outcome{result: worst}))
	if span := trace.SpanFromContext(ctx); span.IsRecording() {
		span.SetAttributes(attribute.Int("signalbox.events", len(items)), attribute.Int("signalbox.bytes", bytes))
	}
}

// labelled returns the labels of an outcome, which are made once. Without a type there is only the result.
func (m metrics) labelled(o outcome) metric.MeasurementOption {
	if known, ok := m.labels.Load(o); ok {
		return known.(metric.MeasurementOption)
	}
	list := []attribute.KeyValue{attribute.String("signalbox.result", o.result)}
	if o.typ != "" {
		list = append(list, attribute.String("signalbox.event.type", o.typ))
	}
	fresh, _ := m.labels.LoadOrStore(o, metric.WithAttributeSet(attribute.NewSet(list...)))
	return fresh.(metric.MeasurementOption)
}
