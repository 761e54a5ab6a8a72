package inference

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/registry"
)

// metrics are what a server measures besides the requests that package httpapi measures.
type metrics struct {
	rows       metric.Int64Counter
	unknown    metric.Int64Counter
	ignored    metric.Int64Counter
	records    metric.Int64Counter
	failures   metric.Int64Counter
	swaps      metric.Float64Histogram
	generation metric.Int64Gauge
}

func newMetrics() (metrics, error) {
	m := otel.Meter("signalbox/inference")
	var out metrics
	var faults [7]error
	out.rows, faults[0] = m.Int64Counter("signalbox.predict.rows", metric.WithDescription("Rows answered."))
	out.unknown, faults[1] = m.Int64Counter("signalbox.predict.unknown_categories", metric.WithDescription("Values outside their column's categories."))
	out.ignored, faults[2] = m.Int64Counter("signalbox.predict.ignored_members", metric.WithDescription("Members of rows that no feature has."))
	out.records, faults[3] = m.Int64Counter("signalbox.predict.records", metric.WithDescription("Prediction events by outcome: handed_over or dropped."))
	out.failures, faults[4] = m.Int64Counter("signalbox.serve.load_failures", metric.WithDescription("Generations that could not be served, tries counted."))
	out.swaps, faults[5] = m.Float64Histogram("signalbox.serve.swap.duration", metric.WithUnit("s"),
		metric.WithDescription("Time from the start of a load to the swap."))
	out.generation, faults[6] = m.Int64Gauge("signalbox.serve.generation", metric.WithDescription("Generation that is served."))
	return out, errors.Join(faults[:]...)
}

func tagAttr(t registry.Tag) attribute.KeyValue { return attribute.String("signalbox.tag", t.String()) }

func (m metrics) swapped(t registry.Tag, generation int64, took time.Duration) {
	m.swaps.Record(context.Background(), took.Seconds(), metric.WithAttributes(tagAttr(t)))
	m.generation.Record(context.Background(), generation, metric.WithAttributes(tagAttr(t)))
}

func (m metrics) failed(t registry.Tag, refused bool) {
	m.failures.Add(context.Background(), 1, metric.WithAttributes(tagAttr(t), attribute.Bool("refused", refused)))
}
