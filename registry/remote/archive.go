package remote

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
)

// ArchivedTopic is how far a topic is archived.
type ArchivedTopic struct {
	Topic      string              `json:"topic"`
	TopicID    uuid.UUID           `json:"topic_id"`
	Stream     string              `json:"stream"` // what datasets call it
	Partitions []ArchivedPartition `json:"partitions"`
	// Several is files with rows of more than one partition, as compaction makes them. They count for no partition.
	Several ArchivedFiles `json:"several"`
}

// ArchivedFiles is how much some files hold.
type ArchivedFiles struct {
	Files int64 `json:"files"`
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
}

// ArchivedPartition is how far a partition is archived.
type ArchivedPartition struct {
	Partition int32 `json:"partition"`
	Next      int64 `json:"next"`  // first offset that is not in the archive
	Epoch     int64 `json:"epoch"` // how often it has changed hands
	Files     int64 `json:"files"` // with rows of this partition alone
	Rows      int64 `json:"rows"`  // of the files
	Bytes     int64 `json:"bytes"` // of the files
	// Through is the broker time up to which the partition is complete, EventTime the greatest time at which an event of
	// it became available; nil before the first.
	Through   *time.Time `json:"archived_through"`
	EventTime *time.Time `json:"event_time"`
	CaughtUp  bool       `json:"caught_up"` // it held nothing more when last looked at
	Updated   time.Time  `json:"updated_at"`
}

// Archive says what the archive has of a topic, or of every topic with "".
func (c *Client) Archive(ctx context.Context, topic string) ([]ArchivedTopic, error) {
	r := request{method: http.MethodGet, path: "/v1/archive"}
	if topic != "" {
		r.query = url.Values{"topic": {topic}}
	}
	var doc struct{ Topics []ArchivedTopic }
	_, err := c.call(ctx, r, &doc)
	return doc.Topics, err
}
