package conform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
)

// maxProducers bounds the pairs of source and type that have a figure of their own: anybody can make up more.
const maxProducers = 200

// others stands for the rest.
const others = "other"

type metrics struct {
	records    metric.Int64Counter
	violations metric.Int64Counter

	mu        sync.Mutex
	passed    map[[2]string]metric.MeasurementOption // by topic and outcome: made once, used for every record
	producers map[[2]string]bool
}

func newMetrics(provider metric.MeterProvider) (*metrics, error) {
	m := &metrics{passed: map[[2]string]metric.MeasurementOption{}, producers: map[[2]string]bool{}}
	meter := provider.Meter("github.com/signalbox-ml/signalbox/consumers/conform")
	var err1, err2 error
	m.records, err1 = meter.Int64Counter("signalbox.conform.records", metric.WithDescription("Events of streams by what became of their check."))
	m.violations, err2 = meter.Int64Counter("signalbox.conform.violations", metric.WithDescription("Events that violate what their stream declares, by producer."))
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("conform metrics: %w", err)
	}
	return m, nil
}

// count counts one verdict.
func (m *metrics) count(ctx context.Context, ev events.Event, topic string, v verdict) {
	m.records.Add(ctx, 1, m.option(topic, cmp.Or(v.outcome, "violation")))
	if v.reason == "" {
		return
	}
	source, typ := m.producer(ev.Source(), ev.Type())
	m.violations.Add(ctx, 1, metric.WithAttributes(attribute.String("messaging.destination.name", topic),
		attribute.String("source", source), attribute.String("type", typ), attribute.String("reason", v.reason)))
}

func (m *metrics) option(topic, outcome string) metric.MeasurementOption {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{topic, outcome}
	o, ok := m.passed[key]
	if !ok {
		o = metric.WithAttributeSet(attribute.NewSet(attribute.String("messaging.destination.name", topic), attribute.String("outcome", outcome)))
		m.passed[key] = o
	}
	return o
}

// producer returns the labels for whoever sent an event.
func (m *metrics) producer(source, typ string) (string, string) {
	const long = 128
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{source, typ}
	if m.producers[key] {
		return source, typ
	}
	if len(m.producers) >= maxProducers || len(source) > long || len(typ) > long {
		return others, others
	}
	m.producers[key] = true
	return source, typ
}
