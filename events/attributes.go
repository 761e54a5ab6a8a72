package events

import (
	"errors"
	"fmt"
	"iter"
	"sort"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
)

// Blank returns an event without any attribute: SetAttribute fills it, Check judges it.
func Blank() Event { return Event{Context: &event.EventContextV1{}} }

// SetAttribute sets an attribute or extension of a Blank event from its text, as headers of any binding carry it. It
// does not check what Check will. Errors say what the text should have been.
func SetAttribute(ev *Event, name, text string) error {
	c, ok := ev.Context.(*event.EventContextV1)
	if !ok {
		return errors.New("event is not a blank one")
	}
	switch name {
	case "specversion":
		if text != event.CloudEventsVersionV1 {
			return fmt.Errorf("specversion: want %q", event.CloudEventsVersionV1)
		}
	case "id":
		c.ID = text
	case "type":
		c.Type = text
	case "source":
		u := types.ParseURIRef(text)
		if u == nil {
			return errors.New("source: want a URI reference")
		}
		c.Source = *u
	case "subject":
		subject := text // not &text: it would cost memory for every attribute
		c.Subject = &subject
	case "datacontenttype":
		media := text
		c.DataContentType = &media
	case "dataschema":
		if c.DataSchema = types.ParseURI(text); c.DataSchema == nil {
			return errors.New("dataschema: want a URI")
		}
	case "time":
		t, err := types.ParseTimestamp(text)
		if err != nil || t == nil {
			return errors.New("time: want RFC 3339, such as 2026-01-02T15:04:05Z")
		}
		c.Time = t
	default:
		return setExtension(c, name, text)
	}
	return nil
}

// setExtension is stricter than the SDK, which folds case and lets an extension pose as the data of the JSON format.
func setExtension(c *event.EventContextV1, name string, v any) error {
	if name == "data" || name == "data_base64" || strings.ToLower(name) != name || !event.IsExtensionNameValid(name) {
		return fmt.Errorf("attribute %q: names are lower-case letters and digits, and not data", name)
	}
	return c.SetExtension(name, v)
}

// Check says what makes ev invalid, in one line with the faulty attributes in order. Errors wrap ErrNotEvent.
func Check(ev Event) error {
	if sound(ev) {
		return nil
	}
	err := ev.Validate()
	if err == nil {
		return nil
	}
	var faults event.ValidationError
	if !errors.As(err, &faults) {
		return fmt.Errorf("%w: %v", ErrNotEvent, err)
	}
	list := make([]string, 0, len(faults))
	for attr, fault := range faults {
		list = append(list, attr+": "+strings.TrimSpace(fault.Error()))
	}
	sort.Strings(list)
	return fmt.Errorf("%w: %s", ErrNotEvent, strings.Join(list, "; "))
}

// sound reports whether ev is so plain that it needs no closer look: almost every event is.
func sound(ev Event) bool {
	c, ok := ev.Context.(*event.EventContextV1)
	return ok && ev.FieldErrors == nil && !blank(c.ID) && !blank(c.Type) && !blank(c.Source.Path) && c.DataSchema == nil &&
		(c.DataContentType == nil || *c.DataContentType == event.ApplicationJSON) && (c.Subject == nil || !blank(*c.Subject))
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// Attributes yields the attributes of a CloudEvent 1.0 that have a text, but specversion and time: the required ones,
// then the others that are set, then extensions in no order.
func Attributes(ev Event) iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		c, ok := ev.Context.(*event.EventContextV1)
		if !ok || !yield("id", c.ID) || !yield("source", c.Source.String()) || !yield("type", c.Type) ||
			c.Subject != nil && !yield("subject", *c.Subject) || c.DataContentType != nil && !yield("datacontenttype", *c.DataContentType) ||
			c.DataSchema != nil && !yield("dataschema", c.DataSchema.String()) {
			return
		}
		for name, v := range c.Extensions {
			text, err := types.Format(v)
			if err == nil && !yield(name, text) {
				return
			}
		}
	}
}

// IsJSON reports whether data of contentType is JSON. No content type means JSON.
func IsJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == event.ApplicationJSON || media == event.TextJSON || strings.HasSuffix(media, "+json")
}
