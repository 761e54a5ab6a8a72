package events

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

func spanContext(t *testing.T, state string) trace.SpanContext {
	t.Helper()
	ts, err := trace.ParseTraceState(state)
	if err != nil {
		t.Fatal(err)
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2}, SpanID: trace.SpanID{3}, TraceFlags: trace.FlagsSampled, TraceState: ts,
	})
}

func newEvent(t *testing.T) Event {
	t.Helper()
	ev, err := New(TypeRunRequested, "/test", "s", "id", time.Unix(0, 0), RunChanged{RunID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

func TestTraceRoundTrip(t *testing.T) {
	sc := spanContext(t, "vendor=x")
	ctx := trace.ContextWithSpanContext(context.Background(), sc)
	ev := newEvent(t)
	WithTrace(ctx, &ev)
	const want = "00-01020000000000000000000000000000-0300000000000000-01"
	if got := ev.Extensions()["traceparent"]; got != want || Traceparent(ctx) != want {
		t.Errorf("traceparent = %v and %q, want %s", got, Traceparent(ctx), want)
	}
	link, ok := TraceLink(ev)
	if !ok || !link.SpanContext.Equal(sc.WithRemote(true)) {
		t.Errorf("link = %+v, %v, want %+v", link.SpanContext, ok, sc)
	}

	// The creation context is set once.
	other := trace.ContextWithSpanContext(context.Background(), sc.WithSpanID(trace.SpanID{9}))
	WithTrace(other, &ev)
	if got := ev.Extensions()["traceparent"]; got != want {
		t.Errorf("traceparent was rewritten to %v", got)
	}
	if err := ev.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNoTrace(t *testing.T) {
	ev := newEvent(t)
	WithTrace(context.Background(), &ev)
	if len(ev.Extensions()) != 0 || Traceparent(context.Background()) != "" {
		t.Errorf("extensions = %v without a span", ev.Extensions())
	}
	if _, ok := TraceLink(ev); ok {
		t.Error("an event without trace has a link")
	}
	for _, bad := range []any{"", "00-0-0-00", "00-00000000000000000000000000000000-0300000000000000-01", 7, true} {
		ev.SetExtension("traceparent", bad)
		if link, ok := TraceLink(ev); ok {
			t.Errorf("traceparent %v gives a link to %+v", bad, link.SpanContext)
		}
	}
}

func TestLinkTo(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	l, ok := LinkTo(parent, "")
	if !ok || l.SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || l.SpanContext.SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("%+v, %v", l, ok)
	}
	for _, bad := range []string{"", "00-0-0-01", "nonsense"} {
		if _, ok := LinkTo(bad, ""); ok {
			t.Errorf("%q is no span", bad)
		}
	}
}
