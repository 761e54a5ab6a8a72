package compact

import (
	"bytes"
	"encoding/binary"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
)

// A scratch record of a row has as its key the row's place in the new files, and then one of these. So what says that a row is
// left out comes right before it.
const (
	leftOut = 0
	isRow   = 1
)

// appendOrder appends to b what sorts rows by subject, event time, partition and offset, absent ones first. No such key is
// the beginning of another.
func appendOrder(b []byte, row *segment.Stored) []byte {
	_, event, _ := row.Times()
	partition, offset := row.Place()
	if subject := row.Subject(); subject == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		for {
			i := bytes.IndexByte(subject, 0)
			if i < 0 {
				break
			}
			b = append(append(b, subject[:i]...), 0, 0xff) // a zero is escaped, for one that is not ends the text
			subject = subject[i+1:]
		}
		b = append(append(b, subject...), 0, 1)
	}
	if event == nil {
		b = append(b, 0)
	} else {
		b = appendNumber(append(b, 1), *event)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(partition))
	return appendNumber(b, offset)
}

// appendNumber keeps the order of numbers, negative ones included.
func appendNumber(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(n)^1<<63)
}

func number(b []byte) int64 { return int64(binary.BigEndian.Uint64(b) ^ 1<<63) }
