package kafka

import (
	"context"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
)

// BestEffort counts the events of TryPublish. Once nothing is on its way, Offered = Delivered + Dropped.
type BestEffort struct {
	Offered, Delivered, Dropped int64
}

// TryPublish hands over a lifecycle event without waiting, for events that may be lost under pressure, such as
// predictions. It reports false where the event is dropped at once; a later loss only shows in BestEffort. Half of the
// buffer is kept free for events that somebody waits for.
func (p *Producer) TryPublish(ev events.Event) bool {
	p.count(&p.offered, "offered")
	topic, ok := events.TopicOf(ev.Type())
	if !ok || p.cl.BufferedProduceRecords() >= int64(p.cfg.MaxBufferedRecords/2) || p.cl.BufferedProduceBytes() >= int64(p.cfg.MaxBufferedBytes/2) {
		p.count(&p.dropped, "dropped")
		return false
	}
	r, err := p.record(context.Background(), traced{}, &ev, topic)
	if err != nil {
		p.count(&p.dropped, "dropped")
		return false
	}
	p.cl.TryProduce(context.Background(), r, func(r *kgo.Record, err error) {
		if out := p.outcome(r, err); out.Err != nil {
			p.count(&p.dropped, "dropped")
			return
		}
		p.count(&p.delivered, "delivered")
	})
	return true
}

// BestEffort returns the counts so far.
func (p *Producer) BestEffort() BestEffort {
	return BestEffort{Offered: p.offered.Load(), Delivered: p.delivered.Load(), Dropped: p.dropped.Load()}
}

func (p *Producer) count(n *atomic.Int64, outcome string) {
	n.Add(1)
	p.tel.offered.Add(context.Background(), 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}
