package ingest

import (
	"context"
	"sync"

	"github.com/signalbox-ml/signalbox/events"
)

// publish appends what was admitted and waits for the log's answer about each event. Topics go at the same time; within
// one the order of the request stands, so events of one key keep theirs.
func (s *Server) publish(ctx context.Context, items []*item) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.PublishTimeout)
	defer cancel()
	if topic, ok := oneTopic(items); ok {
		s.appendTo(ctx, topic, items)
		return
	}
	byTopic := map[string][]*item{}
	for _, it := range items {
		if it.fault == nil {
			byTopic[it.contract.Topic] = append(byTopic[it.contract.Topic], it)
		}
	}
	var wg sync.WaitGroup
	for topic, list := range byTopic {
		wg.Go(func() { s.appendTo(ctx, topic, list) })
	}
	wg.Wait()
}

// oneTopic returns the topic of all items, if all are admitted and have the same: almost every request is so.
func oneTopic(items []*item) (topic string, ok bool) {
	for i, it := range items {
		if it.fault != nil || i > 0 && it.contract.Topic != topic {
			return "", false
		}
		topic = it.contract.Topic
	}
	return topic, len(items) > 0
}

// appendTo appends to one topic. An event counts as being in the log only if the answer says where.
func (s *Server) appendTo(ctx context.Context, topic string, list []*item) {
	evs := make([]events.Event, len(list))
	for i, it := range list {
		evs[i] = it.ev
	}
	outs := s.acknowledged(ctx, topic, evs)
	for i, it := range list {
		out := events.Outcome{Err: events.ErrUnacknowledged}
		if i < len(outs) && (outs[i].Err != nil || outs[i].Position.Topic == topic) {
			out = outs[i]
		}
		if out.Err == nil {
			it.position = out.Position
			continue
		}
		it.fault, it.cause = unpublished(out.Err), out.Err
	}
}
