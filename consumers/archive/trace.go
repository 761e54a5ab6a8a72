package archive

import (
	"context"
	"maps"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
)

// maxLinks bounds the links of a flush: of a million events a few say enough.
const maxLinks = 16

// trace begins the span of a flush. It is a trace of its own, linked to where some of its events were made.
func (a *Archiver) trace(ctx context.Context, p *partition, b *batch) (context.Context, trace.Span) {
	return otel.Tracer("github.com/signalbox-ml/signalbox/consumers/archive").Start(ctx, "archive "+p.Topic, trace.WithNewRoot(),
		trace.WithLinks(links(&b.recs)...), trace.WithAttributes(
			attribute.String("messaging.destination.name", p.Topic), attribute.Int("messaging.destination.partition.id", int(p.Partition)),
			attribute.Int64("signalbox.offset.start", b.start), attribute.Int64("signalbox.offset.end", b.end),
			attribute.Int("messaging.batch.message_count", b.recs.len())))
}

// links picks records evenly and returns the spans that created their events.
func links(recs *records) []trace.Link {
	var out []trace.Link
	var r events.Record
	step := max(1, (recs.len()+maxLinks-1)/maxLinks)
	n := 0
	for _, typ := range slices.Sorted(maps.Keys(recs.byType)) {
		b := recs.byType[typ].of[0]
		for ; n < b.len(); n += step {
			b.record(n, &recs.names, &r)
			if l, ok := link(&r); ok {
				out = append(out, l)
			}
		}
		n -= b.len()
	}
	return out
}

func link(r *events.Record) (trace.Link, bool) {
	var parent, state string
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_traceparent":
			parent = string(h.Value)
		case "ce_tracestate":
			state = string(h.Value)
		}
	}
	return events.LinkTo(parent, state)
}
