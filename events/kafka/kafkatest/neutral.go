package kafkatest

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// neutral shows a client's record as the rest of the program sees it.
func neutral(r *kgo.Record) events.Record {
	out := events.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, AppendTime: r.Timestamp}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, events.RecordHeader(h))
	}
	return out
}
