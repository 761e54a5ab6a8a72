package archive

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// eventSum stands for what an event says, and for the hour in which it was delivered.
type eventSum [16]byte

// delivery is where and when an event came. From when on it is known is said on both clocks that a dataset may go by: the
// broker's, and the event's own.
type delivery struct {
	of              ledger.Partition
	offset          int64
	known, recorded int64 // microseconds
	hour            time.Time
}

// standsFor reports whether a reader who has d misses nothing of another delivery that says the same.
func (d delivery) standsFor(o delivery) bool { return d.known <= o.known && d.recorded <= o.recorded }

// deliveryOf looks at the event of a row. One without a time of its own is of when it came.
func deliveryOf(row *segment.Stored) (sum eventSum, d delivery, isEvent bool) {
	appended, own, recorded := row.Times()
	_, d.offset = row.Place()
	d.hour = hourOf(time.UnixMicro(appended))
	source, id := row.Event()
	if source == nil || id == nil {
		return sum, d, false
	}
	at := appended
	if own != nil {
		at = *own
	}
	d.known, d.recorded = max(appended, at), max(appended, at)
	if recorded != nil {
		d.recorded = max(*recorded, at)
	}
	content := row.Content()
	b := binary.AppendVarint(content[:], at)
	b = binary.AppendVarint(b, d.hour.Unix())
	b = binary.AppendUvarint(b, uint64(len(source)))
	all := sha256.Sum256(append(append(b, source...), id...))
	return eventSum(all[:16]), d, true
}
