package kafka

import (
	"encoding/json"
	"fmt"
	"sort"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// Header names of the CloudEvents Kafka binding.
const (
	attributePrefix   = "ce_"
	headerContentType = "content-type"
	headerVersion     = attributePrefix + "specversion"
	structuredType    = "application/cloudevents+json"
)

// Encode returns ev as a record in binary mode: attributes are headers, the value is the data, and the key is the
// partitionkey extension, else the subject.
func Encode(ev events.Event) (events.Record, error) {
	var r kgo.Record
	if err := encode(&ev, &r); err != nil {
		return events.Record{}, err
	}
	return neutral(&r), nil
}

// encode fills key, value and headers of r in binary mode. All header values share one allocation. The order of the
// headers is fixed, extensions by name.
func encode(ev *events.Event, r *kgo.Record) error {
	if ev.Context == nil {
		return fmt.Errorf("encode: %w", events.ErrNotEvent)
	}
	c, ok := ev.Context.(*event.EventContextV1)
	if !ok {
		c = ev.Context.AsV1()
	}
	w := headerWriter{headers: make([]kgo.RecordHeader, 0, 10+len(c.Extensions)), values: make([]byte, 0, 256)}
	w.add(headerVersion, event.CloudEventsVersionV1)
	w.add(attributePrefix+"id", c.ID)
	w.add(attributePrefix+"source", c.Source.String())
	w.add(attributePrefix+"type", c.Type)
	if c.Subject != nil {
		w.add(attributePrefix+"subject", *c.Subject)
	}
	if c.Time != nil {
		w.add(attributePrefix+"time", types.FormatTime(c.Time.Time))
	}
	if c.DataSchema != nil {
		w.add(attributePrefix+"dataschema", c.DataSchema.String())
	}
	if c.DataContentType != nil {
		w.add(headerContentType, *c.DataContentType)
	}
	if err := w.addExtensions(c.Extensions); err != nil {
		return fmt.Errorf("encode %s: %w", c.ID, err)
	}
	key, err := keyOf(c)
	if err != nil {
		return fmt.Errorf("encode %s: %w", c.ID, err)
	}
	r.Key, r.Value, r.Headers = key, ev.DataEncoded, w.headers
	return nil
}

// encodeStructured fills r in structured mode: the value is the whole event as JSON.
func encodeStructured(ev *events.Event, r *kgo.Record) error {
	if ev.Context == nil {
		return fmt.Errorf("encode: %w", events.ErrNotEvent)
	}
	v1 := *ev
	v1.Context = ev.Context.AsV1()
	b, err := json.Marshal(v1)
	if err != nil {
		return fmt.Errorf("encode %s: %w", ev.ID(), err)
	}
	key, err := keyOf(ev.Context.AsV1())
	if err != nil {
		return fmt.Errorf("encode %s: %w", ev.ID(), err)
	}
	r.Key, r.Value = key, b
	r.Headers = []kgo.RecordHeader{{Key: headerContentType, Value: []byte(structuredType)}}
	return nil
}

// keyOf decides which events keep their order.
func keyOf(c *event.EventContextV1) ([]byte, error) {
	if v, ok := c.Extensions["partitionkey"]; ok {
		s, err := types.Format(v)
		if err != nil {
			return nil, fmt.Errorf("partitionkey: %w", err)
		}
		return []byte(s), nil
	}
	if c.Subject != nil {
		return []byte(*c.Subject), nil
	}
	return nil, nil
}

// headerWriter collects headers whose values stand one after another in one buffer.
type headerWriter struct {
	headers []kgo.RecordHeader
	values  []byte
}

func (w *headerWriter) add(key, value string) {
	from := len(w.values)
	w.values = append(w.values, value...)
	w.headers = append(w.headers, kgo.RecordHeader{Key: key, Value: w.values[from:len(w.values):len(w.values)]})
}

func (w *headerWriter) addExtensions(ext map[string]any) error {
	if len(ext) == 0 {
		return nil
	}
	names := make([]string, 0, len(ext))
	for name := range ext {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		s, err := types.Format(ext[name])
		if err != nil {
			return fmt.Errorf("extension %s: %w", name, err)
		}
		w.add(attributePrefix+name, s)
	}
	return nil
}

// neutral copies the parts of r that packages without franz-go may see.
func neutral(r *kgo.Record) events.Record {
	out := events.Record{Offset: r.Offset, Key: r.Key, Value: r.Value, AppendTime: r.Timestamp}
	if len(r.Headers) > 0 {
		out.Headers = make([]events.RecordHeader, len(r.Headers))
		for i, h := range r.Headers {
			out.Headers[i] = events.RecordHeader(h)
		}
	}
	return out
}
