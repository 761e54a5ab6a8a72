package events

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"
)

// Record is one raw record of the log, CloudEvent or not. Its bytes are valid for ever, but must not be changed.
type Record struct {
	Offset     int64
	Key, Value []byte // nil is not the same as empty
	Headers    []RecordHeader
	AppendTime time.Time // when the broker appended it; never goes back within a partition's leader
}

// RecordHeader is one header. Keys may repeat and keep their order.
type RecordHeader struct {
	Key   string
	Value []byte
}

// TopicPartition names a partition for good: a topic that is deleted and made again under the same name has another id.
type TopicPartition struct {
	TopicID   [16]byte
	Topic     string
	Partition int32
}

// ID returns the topic id as 32 hexadecimal digits.
func (tp TopicPartition) ID() string { return hex.EncodeToString(tp.TopicID[:]) }

// String returns topic/partition.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// Sink takes the raw records of the partitions that it is assigned. Calls for one partition come one at a time and in
// order: Assigned, then Records and Lost, then Revoked. Calls for different partitions run at the same time.
type Sink interface {
	// Assigned answers where to start reading tp. An error is tried again with back-off.
	Assigned(ctx context.Context, tp TopicPartition) (start int64, err error)
	// Records delivers recs in order. next is the offset after the last one delivered (control records and compaction
	// leave gaps), end is the partition's end as last heard. recs is empty where the partition is caught up and idle:
	// such a call comes at least every few seconds, and at most one second after the broker was asked.
	// While Records blocks, no more of tp is fetched; other partitions go on. An error, of Lost too, ends the assignment
	// without Revoked: tp is assigned again after a back-off.
	Records(ctx context.Context, tp TopicPartition, recs []Record, next, end int64) error
	// Lost says that retention removed records before they were delivered: the log of tp now starts at logStart. It
	// answers where to go on, not below logStart.
	Lost(ctx context.Context, tp TopicPartition, logStart int64) (start int64, err error)
	// Revoked ends the assignment of tp. It may flush within ctx's bound.
	Revoked(ctx context.Context, tp TopicPartition)
}

// Committer notes how far a partition was taken, for tools that watch consumer lag. It is advice: Sink.Assigned alone
// decides where reading starts.
type Committer interface {
	Commit(ctx context.Context, tp TopicPartition, next int64) error
}

// Tap delivers raw records to a Sink. Run blocks until ctx ends and every partition was revoked.
type Tap interface {
	Run(ctx context.Context, sink Sink) error
}
