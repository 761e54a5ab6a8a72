package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
)

// Trace context travels twice. The event's own traceparent extension is its creation context: set once, kept by every
// hop and replay. The record's plain traceparent header is the transport context of this one publish.
const (
	transportParent = "traceparent"
	transportState  = "tracestate"
	creationParent  = attributePrefix + transportParent
)

const scope = "github.com/signalbox-ml/signalbox/events/kafka"

// telemetry holds the instruments. Names follow the OpenTelemetry conventions for messaging.
type telemetry struct {
	tracer    trace.Tracer
	sent      metric.Int64Counter
	operation metric.Float64Histogram
	consumed  metric.Int64Counter
	process   metric.Float64Histogram
	dead      metric.Int64Counter
	held      metric.Int64UpDownCounter
	offered   metric.Int64Counter
}

func newTelemetry(c Config) (*telemetry, error) {
	m := c.Metrics.Meter(scope)
	t := &telemetry{tracer: c.Tracing.Tracer(scope)}
	var errs [7]error
	t.sent, errs[0] = m.Int64Counter("messaging.client.sent.messages", metric.WithDescription("Events that a publish tried to append."))
	t.operation, errs[1] = m.Float64Histogram("messaging.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Time until every event of a publish was acknowledged or given up."))
	t.consumed, errs[2] = m.Int64Counter("messaging.client.consumed.messages", metric.WithDescription("Records taken from a topic."))
	t.process, errs[3] = m.Float64Histogram("messaging.process.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of one attempt to handle an event."))
	t.dead, errs[4] = m.Int64Counter("signalbox.dlq.records", metric.WithDescription("Records sent to dead letters."))
	t.offered, errs[5] = m.Int64Counter("signalbox.publish.best_effort", metric.WithDescription("Events of TryPublish by what became of them."))
	t.held, errs[6] = m.Int64UpDownCounter("signalbox.dlq.held", metric.WithUnit("{partition}"),
		metric.WithDescription("Partitions that stand because they had too many dead letters."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("kafka instruments: %w", err)
	}
	return t, nil
}

func on(topic string) attribute.KeyValue {
	return attribute.String("messaging.destination.name", topic)
}

// publishing starts the span of one publish.
func (t *telemetry) publishing(ctx context.Context, topic string, n int) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, "send "+topic, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attribute.String("messaging.system", "kafka"), on(topic), attribute.Int("messaging.batch.message_count", n)))
}

// published records the outcome of a publish that began at begin.
func (t *telemetry) published(ctx context.Context, span trace.Span, topic string, begin time.Time, n int, err error) {
	attrs := []attribute.KeyValue{on(topic)}
	if err != nil {
		attrs = append(attrs, attribute.String("error.type", errorType(err)))
		span.SetStatus(codes.Error, errorType(err))
	}
	set := metric.WithAttributeSet(attribute.NewSet(attrs...))
	t.sent.Add(ctx, int64(n), set)
	t.operation.Record(ctx, time.Since(begin).Seconds(), set)
	span.End()
}

// handling starts the span of one attempt. Creation and transport are linked, not parents: a trace that lives as long
// as the loop would never end.
func (t *telemetry) handling(ctx context.Context, r *kgo.Record, ev events.Event, attempt int) (context.Context, trace.Span) {
	var links []trace.Link
	if made, ok := events.TraceLink(ev); ok {
		links = append(links, made)
	}
	carrier := propagation.MapCarrier{}
	for _, h := range r.Headers {
		if h.Key == transportParent || h.Key == transportState {
			carrier[h.Key] = string(h.Value)
		}
	}
	sent := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if sent.IsValid() {
		links = append(links, trace.Link{SpanContext: sent})
	}
	return t.tracer.Start(ctx, "process "+r.Topic, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(links...), trace.WithAttributes(attribute.String("messaging.system", "kafka"), on(r.Topic),
			attribute.Int("messaging.destination.partition.id", int(r.Partition)),
			attribute.Int64("messaging.kafka.offset", r.Offset), attribute.Int("signalbox.attempt", attempt)))
}

// handled records the outcome of an attempt.
func (t *telemetry) handled(ctx context.Context, span trace.Span, topic string, begin time.Time, err error) {
	attrs := []attribute.KeyValue{on(topic)}
	if err != nil {
		kind := events.PermanentReason(err)
		if kind == "" {
			kind = "retryable"
		}
		attrs = append(attrs, attribute.String("error.type", kind))
		span.SetStatus(codes.Error, err.Error())
	}
	t.process.Record(ctx, time.Since(begin).Seconds(), metric.WithAttributeSet(attribute.NewSet(attrs...)))
	span.End()
}

// errorType names an outcome for metrics.
func errorType(err error) string {
	switch {
	case errors.Is(err, events.ErrBufferFull):
		return "buffer_full"
	case errors.Is(err, events.ErrNoTopic):
		return "no_topic"
	case errors.Is(err, events.ErrTooLarge):
		return "too_large"
	case errors.Is(err, events.ErrUnacknowledged):
		return "unacknowledged"
	}
	return "other"
}

// traced is the trace context of a publish as headers of records. All its records have the same ones.
type traced struct{ creation, transport []kgo.RecordHeader }

// traceOf returns the trace context of ctx, nothing if there is none.
func traceOf(ctx context.Context) (t traced) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	for _, key := range []string{transportParent, transportState} {
		if v, ok := carrier[key]; ok {
			t.creation = append(t.creation, kgo.RecordHeader{Key: attributePrefix + key, Value: []byte(v)})
			t.transport = append(t.transport, kgo.RecordHeader{Key: key, Value: []byte(v)})
		}
	}
	return t
}

// stamp adds the context to a record in binary mode: as creation where the event has none, and always as transport.
func (t traced) stamp(r *kgo.Record) {
	if !slices.ContainsFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == creationParent }) {
		r.Headers = append(r.Headers, t.creation...)
	}
	r.Headers = append(r.Headers, t.transport...)
}
