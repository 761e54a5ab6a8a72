package kafka

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

// Decode reads an event from a record of either mode. The event shares the record's bytes. Errors wrap
// events.ErrNotEvent and say what is wrong.
func Decode(r events.Record) (events.Event, error) {
	return decodeHeaders(r.Headers, r.Value)
}

// decode is Decode for records as the client has them.
func decode(r *kgo.Record) (events.Event, error) {
	return decodeHeaders(r.Headers, r.Value)
}

// header is what both kinds of header are underneath.
type header interface {
	~struct {
		Key   string
		Value []byte
	}
}

func decodeHeaders[H header](headers []H, value []byte) (events.Event, error) {
	content, version := "", false
	for _, h := range headers {
		h := events.RecordHeader(h)
		switch strings.ToLower(h.Key) {
		case headerContentType:
			content = string(h.Value)
		case headerVersion:
			version = true
		}
	}
	switch media, _, _ := strings.Cut(content, ";"); strings.ToLower(strings.TrimSpace(media)) {
	case structuredType:
		return events.ParseJSON(value)
	default:
		if !version {
			return events.Event{}, fmt.Errorf("%w: the record has neither a %s header nor the content type %s",
				events.ErrNotEvent, headerVersion, structuredType)
		}
		return decodeBinary(headers, value)
	}
}

// decodeBinary reads attributes from headers, in any case as other bindings do; where a name repeats, the last one wins.
func decodeBinary[H header](headers []H, value []byte) (events.Event, error) {
	ev := events.Blank()
	for _, h := range headers {
		h := events.RecordHeader(h)
		key := strings.ToLower(h.Key)
		name, ok := strings.CutPrefix(key, attributePrefix)
		if key == headerContentType {
			name, ok = "datacontenttype", true
		}
		if !ok {
			continue
		}
		if !utf8.Valid(h.Value) {
			return events.Event{}, fmt.Errorf("%w: header %q is not UTF-8", events.ErrNotEvent, h.Key)
		}
		if err := events.SetAttribute(&ev, name, string(h.Value)); err != nil {
			return events.Event{}, fmt.Errorf("%w: %v", events.ErrNotEvent, err)
		}
	}
	if len(value) > 0 {
		ev.DataEncoded = value
	}
	return ev, events.Check(ev)
}
