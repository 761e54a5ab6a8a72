package segment

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// textOf returns the text column of an attribute, nil where it is null or not text.
func (c *columns) textOf(a attribute) []byte {
	switch a {
	case attrID:
		return c.ID
	case attrSource:
		return c.Source
	case attrType:
		return c.Type
	case attrSubject:
		return c.Subject
	case attrDataSchema:
		return c.DataSchema
	case attrDataContentType:
		return c.DataContentType
	case attrTraceParent:
		return c.TraceParent
	default:
		return nil
	}
}

// restore turns columns back into a row. Nothing in the row aliases c.
func restore(c *columns) (Row, error) {
	exts, err := c.extensions()
	if err != nil {
		return Row{}, fmt.Errorf("row at offset %d: %w", c.Offset, err)
	}
	row := Row{
		Partition: c.Partition,
		Record: events.Record{
			Offset:     c.Offset,
			Key:        slices.Clone(c.Key),
			Value:      slices.Clone(firstSet(c.Value, c.Data, c.DataBytes)),
			AppendTime: time.UnixMicro(c.AppendTime).UTC(),
		},
		CloudEvent: CloudEvent{
			ID:              string(c.ID),
			Source:          string(c.Source),
			Type:            string(c.Type),
			Subject:         string(c.Subject),
			Time:            instantAt(c.Time),
			RecordedTime:    instantAt(c.RecordedTime),
			DataSchema:      string(c.DataSchema),
			DataContentType: string(c.DataContentType),
			TraceParent:     string(c.TraceParent),
			Extensions:      exts,
			Data:            slices.Clone(firstSet(c.Data, c.DataBytes)),
		},
	}
	row.Record.Headers, err = c.headers(exts)
	if err != nil {
		return Row{}, fmt.Errorf("row at offset %d: %w", c.Offset, err)
	}
	return row, nil
}

func (c *columns) extensions() (map[string]string, error) {
	if c.Ext == nil {
		return nil, nil
	}
	var m map[string]string
	if err := json.Unmarshal(c.Ext, &m); err != nil {
		return nil, fmt.Errorf("read ce_ext: %w", err)
	}
	return m, nil
}

// headers puts the record's headers together in their order.
func (c *columns) headers(exts map[string]string) ([]events.RecordHeader, error) {
	kept := c.Headers
	if c.HeaderOrder == nil {
		hs := make([]events.RecordHeader, 0, len(kept))
		for _, h := range kept {
			hs = append(hs, h.record())
		}
		return slices.Clip(hs), nil
	}
	var hs []events.RecordHeader
	for name := range strings.SplitSeq(string(c.HeaderOrder), ",") {
		if name == verbatim {
			if len(kept) == 0 {
				return nil, fmt.Errorf("header_order names more headers than there are: %w", ErrMalformed)
			}
			hs, kept = append(hs, kept[0].record()), kept[1:]
			continue
		}
		v, ok := c.header(name, exts)
		if !ok {
			return nil, fmt.Errorf("header_order names %q, which has no value: %w", name, ErrMalformed)
		}
		hs = append(hs, events.RecordHeader{Key: name, Value: v})
	}
	return hs, nil
}

// header gives the value of a header back from the column that has it.
func (c *columns) header(key string, exts map[string]string) ([]byte, bool) {
	switch a, name := attributeOf(key); a {
	case attrVersion:
		return []byte(specVersion), true
	case attrTime:
		return timeText(c.Time), c.Time != nil
	case attrRecordedTime:
		return timeText(c.RecordedTime), c.RecordedTime != nil
	case attrExtension:
		v, ok := exts[name]
		return []byte(v), ok
	default:
		v := c.textOf(a)
		return slices.Clone(v), v != nil
	}
}

// timeText is the canonical text of a time: isCanonicalTime knows it.
func timeText(t *int64) []byte {
	if t == nil {
		return nil
	}
	return time.UnixMicro(*t).UTC().AppendFormat(nil, time.RFC3339Nano)
}

func (h header) record() events.RecordHeader {
	if h.Null {
		return events.RecordHeader{Key: string(h.Key)}
	}
	return events.RecordHeader{Key: string(h.Key), Value: append([]byte{}, h.Value...)}
}

func instantAt(t *int64) time.Time {
	if t == nil {
		return time.Time{}
	}
	return time.UnixMicro(*t).UTC()
}

// firstSet returns the first slice that is not nil; an empty one is set.
func firstSet(bs ...[]byte) []byte {
	for _, b := range bs {
		if b != nil {
			return b
		}
	}
	return nil
}
