package compact

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact/extsort"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
)

// duplicates finds deliveries of one event. They are sorted by event, append time, partition and offset in scratch files of
// their own, so that their number does not matter.
type duplicates struct {
	sorter *extsort.Sorter
	buf    []byte
}

// Of a delivery the key has the event (16 bytes of a digest of its source and id), append time, partition and offset; the value
// has what dominates needs, the size of the row, and then its order.
const (
	eventBytes = 16
	keyBytes   = eventBytes + 8 + 4 + 8
	sizeAt     = 16 + 8 + 8
	factBytes  = sizeAt + 8
)

// add enters a row with its order and size. Records that are no events are nobody's duplicates.
func (d *duplicates) add(row *segment.Stored, order []byte, size int64) error {
	source, id := row.Event()
	if source == nil || id == nil {
		return nil
	}
	appended, event, recorded := row.Times()
	partition, offset := row.Place()
	h := sha256.New()
	h.Write(binary.AppendUvarint(d.buf[:0], uint64(len(source))))
	h.Write(source)
	h.Write(id)
	b := h.Sum(d.buf[:0])[:eventBytes]
	b = appendNumber(b, appended)
	b = binary.BigEndian.AppendUint32(b, uint32(partition))
	b = appendNumber(b, offset)
	content := row.Content()
	b = append(b, content[:]...)
	b = appendNumber(b, valueOr(event, appended))
	b = appendNumber(b, valueOr(recorded, appended))
	b = appendNumber(b, size)
	d.buf = append(b, order...)
	return d.sorter.Add(d.buf[:keyBytes], d.buf[keyBytes:])
}

// leave calls drop with the order and size of each row that is left out. It returns how many deliveries of an event stay beside
// its first one.
func (d *duplicates) leave(drop func(order []byte, size int64) error) (repeated int64, err error) {
	var first delivery
	for r, err := range d.sorter.Sorted() {
		if err != nil {
			return repeated, err
		}
		switch {
		case first.key == nil || !bytes.Equal(first.key[:eventBytes], r.Key[:eventBytes]):
			first.key, first.value = append(first.key[:0], r.Key...), append(first.value[:0], r.Value...)
		case !first.dominates(delivery{r.Key, r.Value}):
			repeated++
		default:
			if err := drop(r.Value[factBytes:], number(r.Value[sizeAt:])); err != nil {
				return repeated, err
			}
		}
	}
	return repeated, nil
}

// delivery is a row of an event, as duplicates keeps it.
type delivery struct{ key, value []byte }

// dominates reports whether a dataset over both d and a later delivery o of the same event would take d, whatever its clock:
// they say the same of the same time, and d is available first, or at once from an earlier place. An event without a time of
// its own is of when it came, so its deliveries are of different times, and a window may have one without the other.
func (d delivery) dominates(o delivery) bool {
	return bytes.Equal(d.value[:16], o.value[:16]) && d.event() == o.event() &&
		d.before(o, d.appended(), o.appended()) && d.before(o, d.recorded(), o.recorded())
}

// before compares two deliveries on a clock on which they are known at these times.
func (d delivery) before(o delivery, known, other int64) bool {
	known, other = max(known, d.event()), max(other, o.event())
	return known < other || known == other && bytes.Compare(d.place(), o.place()) < 0
}

func (d delivery) appended() int64 { return number(d.key[eventBytes:]) }
func (d delivery) place() []byte   { return d.key[eventBytes+8 : keyBytes] }
func (d delivery) event() int64    { return number(d.value[16:]) }
func (d delivery) recorded() int64 { return number(d.value[16+8:]) }

func valueOr(n *int64, or int64) int64 {
	if n == nil {
		return or
	}
	return *n
}
