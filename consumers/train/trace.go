package train

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
)

// follow returns what is remembered of a run's current attempt, and begins its span if that is new. The span is a trace
// of its own: what asked for the run may be days old and have a thousand causes of its own. It is linked instead.
func (m *Machine) follow(ctx context.Context, a attemptOf) *job {
	at, run := a.id(), a.run
	if j, ok := m.jobs[at]; ok {
		return j
	}
	tracer := m.cfg.Tracer
	if tracer == nil {
		tracer = noop.NewTracerProvider().Tracer("")
	}
	opts := []trace.SpanStartOption{trace.WithNewRoot(), trace.WithAttributes(
		attribute.String("signalbox.run_id", run.ID.String()), attribute.Int("signalbox.attempt", run.Attempt),
		attribute.String("signalbox.model", string(run.Model)), attribute.String("signalbox.dataset", run.Dataset.String()))}
	if cause, ok := events.LinkTo(run.Cause, ""); ok {
		opts = append(opts, trace.WithLinks(cause))
	}
	_, span := tracer.Start(ctx, "train "+string(run.Model), opts...)
	j := &job{backend: a.class.Backend, span: span, begun: time.Now()}
	m.jobs[at] = j
	return j
}

// within makes the attempt's span the current one, so that what the registry writes names it.
func (j *job) within(ctx context.Context) context.Context {
	return trace.ContextWithSpan(ctx, j.span)
}

// end closes the span with what became of the attempt.
func (m *Machine) end(ctx context.Context, j *job, at Attempt) {
	if j.span == nil {
		return
	}
	if run, err := m.cfg.Runs.Run(ctx, at.Run); err == nil {
		m.attempts.Record(ctx, time.Since(j.begun).Seconds(), metric.WithAttributes(
			attribute.String("signalbox.model", string(run.Model)), attribute.String("signalbox.job_state", string(run.State))))
		j.span.SetAttributes(attribute.String("signalbox.job_state", string(run.State)))
		if run.State == registry.RunFailed && run.Exception != nil {
			j.span.SetStatus(codes.Error, run.Exception.Type)
		}
	}
	j.span.End()
}

// traceparent is what a job names as its parent: the attempt's span, or the cause where nothing is traced here.
func traceparent(ctx context.Context, run registry.Run) string {
	if tp := events.Traceparent(ctx); tp != "" {
		return tp
	}
	return run.Cause
}
