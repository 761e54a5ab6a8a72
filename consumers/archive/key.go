package archive

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

const (
	mediaParquet = "application/vnd.apache.parquet"
	mediaJSON    = "application/json"
)

// fileKey is where a file stands. The hour is the broker's append hour, so that late events never reopen a directory.
func fileKey(tp events.TopicPartition, epoch int64, typ string, hour time.Time, start, end int64) string {
	return fmt.Sprintf("archive/v1/topic=%s/type=%s/date=%s/hour=%02d/%s",
		topicSegment(tp), escape(typ), hour.Format(time.DateOnly), hour.Hour(), fileName(tp.Partition, start, end, epoch))
}

// topicSegment tells a topic in keys from others, also from earlier ones of its name.
func topicSegment(tp events.TopicPartition) string {
	id := topicID(tp)
	return escape(events.StreamOf(tp.Topic) + "." + hex.EncodeToString(id[:4]))
}

// maxSegment is the longest value in a key: with its name it stays below the 255 bytes of a file name.
const maxSegment = 180

// escape makes s fit for a segment of a key as hive paths have it: percent-encoded, and cut with a digest where it is
// too long. The true value stands in the rows.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	e := b.String()
	if len(e) <= maxSegment {
		return e
	}
	sum := cas.Sum([]byte(s))
	return e[:maxSegment-34] + "~" + hex.EncodeToString(sum[:16])
}
