//go:build !mutant_m16

package ingest

import (
	"context"

	"github.com/signalbox-ml/signalbox/events"
)

// acknowledged appends and returns when the log has answered about each event, or will not.
func (s *Server) acknowledged(ctx context.Context, topic string, evs []events.Event) []events.Outcome {
	return s.cfg.Publisher.Append(ctx, topic, evs)
}
