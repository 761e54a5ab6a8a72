package events

import (
	"context"

	"github.com/cloudevents/sdk-go/v2/event"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Extensions of CloudEvents' distributed tracing: the context in which an event was created.
const (
	extTraceparent = "traceparent"
	extTracestate  = "tracestate"
)

// WithTrace notes the span of ctx as the one that created ev. An event that has its creation context already keeps it:
// relays and replays are other spans.
func WithTrace(ctx context.Context, ev *Event) {
	if c, ok := ev.Context.(*event.EventContextV1); ok && c.Extensions[extTraceparent] != nil {
		return // and Extensions was not copied
	} else if !ok && ev.Extensions()[extTraceparent] != nil {
		return
	}
	c := carry(ctx)
	if c[extTraceparent] == "" {
		return
	}
	ev.SetExtension(extTraceparent, c[extTraceparent])
	if s := c[extTracestate]; s != "" {
		ev.SetExtension(extTracestate, s)
	}
}

// Traceparent returns the span of ctx in the form of the traceparent header, or "" where there is none.
func Traceparent(ctx context.Context) string { return carry(ctx)[extTraceparent] }

// TraceLink returns a link to the span that created ev, or false where ev does not say.
func TraceLink(ev Event) (trace.Link, bool) {
	parent, _ := ev.Extensions()[extTraceparent].(string)
	state, _ := ev.Extensions()[extTracestate].(string)
	return LinkTo(parent, state)
}

// LinkTo returns a link to the span of a traceparent and, if there is one, a tracestate header; false where they name none.
func LinkTo(traceparent, tracestate string) (trace.Link, bool) {
	c := propagation.MapCarrier{extTraceparent: traceparent, extTracestate: tracestate}
	sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), c))
	return trace.Link{SpanContext: sc}, sc.IsValid()
}

func carry(ctx context.Context) propagation.MapCarrier {
	c := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, c)
	return c
}
