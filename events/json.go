package events

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
)

// ParseJSON reads one event in the JSON event format. Data keeps its bytes exactly. It is our own because the SDK's
// parser panics on some malformed bodies and forgives others. Errors wrap ErrNotEvent.
func ParseJSON(b []byte) (Event, error) {
	if !utf8.Valid(b) {
		return Event{}, fmt.Errorf("%w: the text is not UTF-8", ErrNotEvent)
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(b, &m); err != nil {
		return Event{}, fmt.Errorf("%w: want a JSON object: %v", ErrNotEvent, err)
	}
	if _, ok := m["specversion"]; !ok {
		return Event{}, fmt.Errorf("%w: specversion is missing", ErrNotEvent)
	}
	ev := Blank()
	for name, raw := range m {
		if err := setMember(&ev, name, raw); err != nil {
			return Event{}, fmt.Errorf("%w: %v", ErrNotEvent, err)
		}
	}
	if err := setData(&ev, m["data"], m["data_base64"]); err != nil {
		return Event{}, fmt.Errorf("%w: %v", ErrNotEvent, err)
	}
	return ev, Check(ev)
}

// setMember sets what one member of the object says, except data. null is the same as no member.
func setMember(ev *Event, name string, raw json.RawMessage) error {
	if name == "data" || name == "data_base64" {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	switch v := v.(type) {
	case nil:
		if name != "specversion" {
			return nil
		}
	case string:
		return SetAttribute(ev, name, v)
	}
	switch name {
	case "specversion", "id", "type", "source", "subject", "datacontenttype", "dataschema", "time":
		return fmt.Errorf("%s: want a string", name)
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
		ev.DataEncoded = plain
	case plain != nil:
		var text string
		if err := json.Unmarshal(plain, &text); err != nil {
			return fmt.Errorf("data: want a string, or data_base64, for content type %q", ev.DataContentType())
		}
		ev.DataEncoded = []byte(text)
	}
	return nil
}
