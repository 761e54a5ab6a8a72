//go:build mutant_m16

package ingest

import (
	"context"

	"github.com/signalbox-ml/signalbox/events"
)

// acknowledged breaks that the log has answered: it says yes to what is still on its way.
func (s *Server) acknowledged(ctx context.Context, topic string, evs []events.Event) []events.Outcome {
	go s.cfg.Publisher.Append(context.WithoutCancel(ctx), topic, evs)
	outs := make([]events.Outcome, len(evs))
	for i := range outs {
		outs[i].Position.Topic = topic
	}
	return outs
}
