package events

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
)

// ParseJSON reads one event in the JSON event format, in one pass. Data keeps its bytes exactly, in memory of its own. Of
// members that are there twice the last counts. It is our own because the SDK's parser panics on some malformed bodies and
// forgives others. Errors wrap ErrNotEvent.
func ParseJSON(b []byte) (Event, error) {
	if !utf8.Valid(b) {
		return Event{}, fmt.Errorf("%w: the text is not UTF-8", ErrNotEvent)
	}
	var room [16]member
	list, err := membersOf(b, room[:0])
	if err != nil {
		return Event{}, fmt.Errorf("%w: want a JSON object: %v", ErrNotEvent, err)
	}
	ev := Blank()
	var version bool
	var plain, encoded json.RawMessage
	for _, m := range list {
		switch m.name {
		case "data":
			plain = m.value
			continue
		case "data_base64":
			encoded = m.value
			continue
		case "specversion":
			version = true
		}
		if err := setMember(&ev, m.name, m.value); err != nil {
			return Event{}, fmt.Errorf("%w: %v", ErrNotEvent, err)
		}
	}
	if !version {
		return Event{}, fmt.Errorf("%w: specversion is missing", ErrNotEvent)
	}
	if err := setData(&ev, plain, encoded); err != nil {
		return Event{}, fmt.Errorf("%w: %v", ErrNotEvent, err)
	}
	return ev, Check(ev)
}

// setMember sets what one member of the object says, except data. null is the same as no member.
func setMember(ev *Event, name string, raw []byte) error {
	switch raw[0] {
	case '"':
		return SetAttribute(ev, name, textOf(raw))
	case 'n':
		if name != "specversion" {
			return nil
		}
	}
	switch name {
	case "specversion", "id", "type", "source", "subject", "datacontenttype", "dataschema", "time":
		return fmt.Errorf("%s: want a string", name)
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return fmt.Errorf("attribute %q: %w", name, err)
	}
	c := ev.Context.(*event.EventContextV1)
	switch v := v.(type) {
	case bool:
		return setExtension(c, name, v)
	case float64:
		if v == math.Trunc(v) && v >= math.MinInt32 && v <= math.MaxInt32 {
			return setExtension(c, name, int32(v))
		}
	}
	return fmt.Errorf("attribute %q: want a string, a boolean or a 32-bit integer", name)
}

// setData takes whichever form of the data was sent; nil means that the member is missing.
func setData(ev *Event, plain, encoded json.RawMessage) error {
	if string(encoded) == "null" {
		encoded = nil
	}
	switch {
	case plain != nil && encoded != nil:
		return errors.New("data and data_base64 exclude each other")
	case encoded != nil:
		var text string
		if err := json.Unmarshal(encoded, &text); err != nil {
			return errors.New("data_base64: want a string")
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return errors.New("data_base64: want standard base64 with padding")
		}
		ev.DataEncoded, ev.DataBase64 = b, true
	case plain != nil && IsJSON(ev.DataContentType()):
		ev.DataEncoded = bytes.Clone(plain)
	case plain != nil:
		var text string
		if err := json.Unmarshal(plain, &text); err != nil {
			return fmt.Errorf("data: want a string, or data_base64, for content type %q", ev.DataContentType())
		}
		ev.DataEncoded = []byte(text)
	}
	return nil
}
