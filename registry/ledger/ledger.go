// Package ledger is the vocabulary of the archive's positions: which offsets of which partition are in which files. The
// ledger is the authority; Kafka's committed offsets are only a hint for lag tools.
package ledger

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// ErrFenced reports a writer that no longer owns its partition, or a position that somebody else moved. Its buffer is
// stale: drop it and acquire again.
var ErrFenced = errors.New("archive partition fenced")

// Partition names a partition by Kafka's topic id, because a re-created topic starts again from offset 0.
type Partition struct {
	TopicID   uuid.UUID
	Topic     string
	Partition int32
}

// Claim is the right to extend a partition, until somebody else claims it.
type Claim struct {
	Partition
	Epoch int64 // grows with every claim
	Next  int64 // first offset that is not in the archive
}

// Reasons of a flush.
const (
	ReasonSize  = "size"
	ReasonAge   = "age"
	ReasonHour  = "hour"
	ReasonDrain = "drain"
	// ReasonLost marks offsets that retention removed before they could be archived: a flush without files.
	ReasonLost = "lost_to_retention"
)

// Flush is one step of a partition: offsets [Start, End) are in Files. Gaps inside are offsets that hold no record.
type Flush struct {
	Claim    // Next is Start
	Seq      int64
	Start    int64
	End      int64
	Records  int64
	Reason   string
	Files    []File
	Manifest string // bucket key of the flush's manifest
	// Previous is the digest of the manifest of the partition's flush before, zero for the first: a chain in which nothing
	// can be missing or changed unseen.
	Previous  cas.Digest
	Committed time.Time
	// ArchivedThrough is the broker time up to which the partition is complete after this flush.
	ArchivedThrough time.Time
	// EventTime is the greatest availability time (recordedtime, else append time) in the partition so far.
	EventTime time.Time
	// CaughtUp says that End was the end of the partition when the flush was made.
	CaughtUp bool
}

// Types of files whose rows do not share one CloudEvents type.
const (
	// TypeOther is records that are no CloudEvents.
	TypeOther = "_other"
	// TypeMixed is events of many types in one file, where a flush met more types than it may open files. A reader of
	// one type reads these files too and filters by ce_type.
	TypeMixed = "_mixed"
)

// File is one immutable Parquet object.
type File struct {
	Key     string     `json:"key"`
	Digest  cas.Digest `json:"sha256"`
	Bytes   int64      `json:"bytes"`
	Rows    int64      `json:"rows"`
	Type    string     `json:"type"`  // CloudEvents type of every row, or TypeOther or TypeMixed
	Hour    time.Time  `json:"hour"`  // broker append hour
	Start   int64      `json:"start"` // offsets [Start, End); of a file of several partitions the extremes
	End     int64      `json:"end"`
	Spans   []Span     `json:"spans,omitempty"` // what a file of several flushes is made of; nil for the file of one
	MinTime time.Time  `json:"min_time"`        // CloudEvents time
	MaxTime time.Time  `json:"max_time"`
	MinSeen time.Time  `json:"min_append"` // broker append time
	MaxSeen time.Time  `json:"max_append"`
}

// Span is offsets [Start, End) of one partition.
type Span struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
}

// Several stands for the partition of a file that has rows of more than one.
const Several = -1

// PartitionState is how far a partition is archived.
type PartitionState struct {
	Partition
	Next            int64
	Epoch           int64
	Owner           string
	ArchivedThrough time.Time
	EventTime       time.Time
	CaughtUp        bool
	Updated         time.Time
}

// FileQuery selects live files. Zero members do not restrict.
type FileQuery struct {
	Topic   string
	Type    string
	UpToSeq int64     // the files that were live once UpToSeq was the newest step; 0 means now
	From    time.Time // only files with rows appended at or after From
	To      time.Time // only files with rows appended before To
}

// LedgerFile is a file with the step that added it. Its partition is Several where its rows are of more than one.
type LedgerFile struct {
	File
	Partition
	Seq int64
}
