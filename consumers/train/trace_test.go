package train_test

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/consumers/train/backendtest"
	"github.com/signalbox-ml/signalbox/registry"
)

// tracer remembers how spans were started.
type tracer struct {
	noop.Tracer
	mu      sync.Mutex
	started []trace.SpanConfig
}

func (tr *tracer) Start(ctx context.Context, _ string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.started = append(tr.started, trace.NewSpanStartConfig(opts...))
	sc := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{byte(len(tr.started))}, TraceFlags: 1})
	ctx = trace.ContextWithSpanContext(ctx, sc)
	return ctx, trace.SpanFromContext(ctx)
}

func TestAttemptsAreSpansLinkedToTheirCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parents := make(chan string, 2)
		w := newWorld(t, func(*world) backendtest.Program {
			return func(_ context.Context, j train.Job, _ io.Writer) int {
				var doc struct{ Traceparent string }
				if err := json.Unmarshal(j.Spec, &doc); err != nil {
					t.Error(err)
				}
				parents <- doc.Traceparent
				return 1
			}
		})
		tr := &tracer{}
		w.start(func(c *train.Config) { c.Tracer, c.MaxAttempts = tr, 2 })
		cause := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{9}, SpanID: trace.SpanID{9}, TraceFlags: 1})
		body := []byte(`{"model_name":"m","data":{"features":[{"dataset":"` + w.dataset.ID.String() + `"}]},
			"train":{"workflow_name":"FlightDelay","classifier_features":["delay"],"label":"late"}}`)
		run, _, err := w.reg.RequestRun(trace.ContextWithSpanContext(t.Context(), cause), registry.RunRequest{Request: body})
		if err != nil {
			t.Fatal(err)
		}
		w.want(w.run(run.ID, 20*time.Second), registry.RunFailed, 2)
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if len(tr.started) != 2 {
			t.Fatalf("%d spans for 2 attempts", len(tr.started))
		}
		for _, s := range tr.started {
			if links := s.Links(); !s.NewRoot() || len(links) != 1 || links[0].SpanContext.TraceID() != cause.TraceID() {
				t.Errorf("span with links %+v, new root %v: want a trace of its own, linked to the cause", links, s.NewRoot())
			}
		}
		for n, want := range []string{"00-01000000000000000000000000000000-0100000000000000-01", "00-01000000000000000000000000000000-0200000000000000-01"} {
			if got := <-parents; got != want {
				t.Errorf("attempt %d has parent %q, want its span %q", n+1, got, want)
			}
		}
	})
}
