package segment

import (
	"errors"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

var (
	// ErrMalformed reports bytes that are no segment, or one that contradicts itself.
	ErrMalformed = errors.New("malformed segment")
	// ErrNotFound reports an event that is not in a segment.
	ErrNotFound = errors.New("event not in segment")
)

// Row is one record of the log with the CloudEvent that it carries.
type Row struct {
	Partition int32
	// Record is as it stood on the log, byte for byte. AppendTime is in microseconds, UTC.
	Record     events.Record
	CloudEvent CloudEvent
}

// CloudEvent is what was unpacked from a record. Without an ID the record was no CloudEvent, and only Data and
// DataContentType say something.
type CloudEvent struct {
	ID              string
	Source          string
	Type            string
	Subject         string
	Time            time.Time // microseconds, UTC; zero where absent
	RecordedTime    time.Time // when the event became available, if it says so
	DataSchema      string
	DataContentType string
	TraceParent     string
	Extensions      map[string]string // those without a field here
	Data            []byte
}
