package mirror

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// Prefix is what the key of every manifest begins with.
const Prefix = "manifests/"

// FlushKey is where the flush of a partition that begins at offset start is mirrored.
func FlushKey(topicID uuid.UUID, partition int32, start int64) string {
	return fmt.Sprintf("%s%x/%05d/%020d.json", Prefix, topicID[:], partition, start)
}

// flush is a ledger.Flush as JSON.
type flush struct {
	Version         int           `json:"version"`
	TopicID         string        `json:"topic_id"`
	Topic           string        `json:"topic"`
	Partition       int32         `json:"partition"`
	Epoch           int64         `json:"epoch"`
	Seq             int64         `json:"seq"`
	Start           int64         `json:"start"` // offsets [start, end)
	End             int64         `json:"end"`
	Records         int64         `json:"records"`
	Reason          string        `json:"reason"`
	Files           []ledger.File `json:"files"`
	Previous        *cas.Digest   `json:"previous"`
	Committed       time.Time     `json:"committed"`
	ArchivedThrough time.Time     `json:"archived_through"`
	EventTime       time.Time     `json:"event_time"`
	CaughtUp        bool          `json:"caught_up"`
}

// EncodeFlush returns the manifest of f: the same bytes for whoever writes it, from whichever ledger it was read.
func EncodeFlush(f ledger.Flush) ([]byte, error) {
	return canonical("flush", flush{
		Version: version, TopicID: fmt.Sprintf("%x", f.TopicID[:]), Topic: f.Topic, Partition: f.Partition.Partition, Epoch: f.Epoch, Seq: f.Seq,
		Start: f.Start, End: f.End, Records: f.Records, Reason: f.Reason, Files: inOrder(f.Files), Previous: link(f.Previous),
		Committed: micros(f.Committed), ArchivedThrough: micros(f.ArchivedThrough), EventTime: micros(f.EventTime), CaughtUp: f.CaughtUp,
	})
}

// DecodeFlush reads the manifest that stands under key, which must be as EncodeFlush writes it, byte for byte. Errors are
// ErrMalformed.
func DecodeFlush(key string, b []byte) (ledger.Flush, error) {
	var m flush
	if err := strict(key, b, &m); err != nil {
		return ledger.Flush{}, err
	}
	id, err := topicID(m.TopicID)
	if err != nil {
		return ledger.Flush{}, malformed(key, err)
	}
	p := ledger.Partition{TopicID: id, Topic: m.Topic, Partition: m.Partition}
	f := ledger.Flush{
		Claim: ledger.Claim{Partition: p, Epoch: m.Epoch, Next: m.Start}, Seq: m.Seq, Start: m.Start, End: m.End, Records: m.Records,
		Reason: m.Reason, Files: m.Files, Manifest: key, Previous: unlink(m.Previous),
		Committed: m.Committed, ArchivedThrough: m.ArchivedThrough, EventTime: m.EventTime, CaughtUp: m.CaughtUp,
	}
	if len(f.Files) == 0 {
		f.Files = nil
	}
	if want := FlushKey(id, m.Partition, m.Start); key != want {
		return ledger.Flush{}, malformed(key, fmt.Errorf("it is of %s", want))
	}
	if err := f.Validate(); err != nil {
		return ledger.Flush{}, malformed(key, err)
	}
	again, err := EncodeFlush(f)
	return f, identical(key, b, again, err)
}

// inOrder sorts files by key, with times as every store keeps them.
func inOrder(files []ledger.File) []ledger.File {
	out := make([]ledger.File, 0, len(files))
	for _, f := range files {
		f.Hour, f.MinTime, f.MaxTime = micros(f.Hour), micros(f.MinTime), micros(f.MaxTime)
		f.MinSeen, f.MaxSeen = micros(f.MinSeen), micros(f.MaxSeen)
		out = append(out, f)
	}
	slices.SortFunc(out, func(x, y ledger.File) int { return strings.Compare(x.Key, y.Key) })
	return out
}
