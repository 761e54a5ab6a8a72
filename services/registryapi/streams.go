package registryapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// topicRetry is when it is worth to apply again after the log could not be reached.
const topicRetry = 2 * time.Second

// checkStreams compiles every schema as the ingest will, and says which topics the streams need. What is no stream's
// body is for the registry to refuse.
func checkStreams(docs []spec.Document) (topics []events.TopicSpec, faults manifest.FaultList) {
	for i, d := range docs {
		if d.Kind != spec.KindStream {
			continue
		}
		stream, err := spec.Read[spec.Stream](d.Spec)
		if err != nil {
			continue
		}
		topics = append(topics, events.TopicSpec{Name: events.StreamTopic(d.Metadata.Name), Partitions: stream.TopicPartitions()})
		for _, typ := range slices.Sorted(maps.Keys(stream.Types)) {
			_, err := schema.Compile(stream.Types[typ].Schema)
			var bad *schema.CompileError
			if errors.As(err, &bad) {
				for _, f := range bad.Faults {
					faults.Add(documentAt(i)+"/spec/types/"+manifest.Escape(typ)+"/schema"+f.Pointer, "%s", f.Message)
				}
			}
		}
	}
	return topics, faults
}

// ensure makes the topics of streams, those of streams that stand already included: one that was lost comes back.
func (s *Server) ensure(ctx context.Context, topics []events.TopicSpec) error {
	if len(topics) == 0 {
		return nil
	}
	if err := s.cfg.Topics.EnsureTopics(ctx, topics); err != nil {
		unavailable := httpapi.Fault(http.StatusServiceUnavailable, "topics_unavailable",
			"the topics of the streams could not be made, so nothing was applied: try again; the request id finds the reason in the log")
		return errors.Join(unavailable.RetryAfter(topicRetry), err)
	}
	return nil
}
