package events

import "time"

// TypeArchiveSealed says that a range of a partition is in the archive for good. Subject: the stream.
const TypeArchiveSealed = "dev.signalbox.archive.sealed"

// ArchiveSealed is the data of TypeArchiveSealed.
type ArchiveSealed struct {
	Stream    string       `json:"stream"`
	Topic     string       `json:"topic"`
	TopicID   string       `json:"topic_id"` // Kafka's UUID of the topic, hex
	Partition int32        `json:"partition"`
	Start     int64        `json:"start"` // offsets [start, end)
	End       int64        `json:"end"`
	Records   int64        `json:"records"`
	Files     []SealedFile `json:"files"`
	// ArchivedThrough is the broker time up to which the partition is complete in the archive.
	ArchivedThrough time.Time `json:"archived_through"`
	// Seq is the position of the flush in the ledger's total order.
	Seq int64 `json:"seq"`
	// Previous is the digest of the manifest of the partition's flush before, sha256.<base32>; empty for the first.
	Previous string `json:"previous,omitempty"`
}

// SealedFile is one immutable Parquet object.
type SealedFile struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"` // digest, sha256.<base32>
	Type   string `json:"type"`   // CloudEvents type of every row
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	Start  int64  `json:"start"` // offsets [start, end)
	End    int64  `json:"end"`
}
