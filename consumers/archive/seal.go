package archive

import (
	"context"
	"fmt"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// sealed returns what the flush f tells the world once it has its place seq in the ledger.
func (a *Archiver) sealed(ctx context.Context, f ledger.Flush, seq int64) ([]events.Event, error) {
	if !a.cfg.seals(f.Topic) {
		return nil, nil
	}
	topicID := fmt.Sprintf("%x", f.TopicID[:])
	data := events.ArchiveSealed{
		Stream: events.StreamOf(f.Topic), Topic: f.Topic, TopicID: topicID, Partition: f.Partition.Partition,
		Start: f.Start, End: f.End, Records: f.Records, Files: make([]events.SealedFile, 0, len(f.Files)),
		ArchivedThrough: f.ArchivedThrough, Seq: seq,
	}
	if !f.Previous.IsZero() {
		data.Previous = f.Previous.String()
	}
	for _, file := range f.Files {
		data.Files = append(data.Files, events.SealedFile{
			Key: file.Key, SHA256: file.Digest.String(), Type: file.Type, Rows: file.Rows, Bytes: file.Bytes, Start: file.Start, End: file.End,
		})
	}
	// A range is sealed once, so it names the event.
	id := fmt.Sprintf("%s-%d-%d-%d", topicID, f.Partition.Partition, f.Start, f.End)
	ev, err := events.New(events.TypeArchiveSealed, a.cfg.Source, data.Stream, id, micros(time.Now()), data)
	if err != nil {
		return nil, err
	}
	events.WithTrace(ctx, &ev)
	return []events.Event{ev}, nil
}
