package generate

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
)

const scope = "github.com/signalbox-ml/signalbox/consumers/generate"

// causes are the newest archive.sealed events, which a build links to.
type causes struct {
	mu    sync.Mutex
	links []trace.Link
}

const maxCauses = 16

func (c *causes) add(ev events.Event) {
	l, ok := events.TraceLink(ev)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.links) == maxCauses {
		c.links = append(c.links[:0], c.links[1:]...)
	}
	c.links = append(c.links, l)
}

// trace begins the span of a build: a trace of its own, for it has as many causes as the window has files.
func (c *causes) trace(ctx context.Context, dataset string, end time.Time) (context.Context, trace.Span) {
	c.mu.Lock()
	links := c.links
	c.links = nil
	c.mu.Unlock()
	return otel.Tracer(scope).Start(ctx, "generate "+dataset, trace.WithNewRoot(),
		trace.WithLinks(links...), trace.WithAttributes(attribute.String("signalbox.dataset.name", dataset),
			attribute.String("signalbox.window.end", end.Format(time.RFC3339))))
}

// meter measures builds.
func meter() (metric.Float64Histogram, error) {
	return otel.Meter(scope).Float64Histogram("signalbox.generate.build.duration", metric.WithUnit("s"),
		metric.WithDescription("Time of one build of a window, by dataset and outcome."))
}

// ended closes the span of a build that began at begin.
func (g *Generator) ended(ctx context.Context, span trace.Span, dataset string, begin time.Time, err error) {
	outcome := "built"
	if err != nil {
		outcome = "failed"
		span.SetStatus(codes.Error, err.Error())
	}
	g.builds.Record(ctx, time.Since(begin).Seconds(), metric.WithAttributes(
		attribute.String("signalbox.dataset.name", dataset), attribute.String("outcome", outcome)))
	span.End()
}
