package events

import (
	"errors"
	"fmt"
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
		c.Subject = &text
	case "datacontenttype":
		c.DataContentType = &text
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

// IsJSON reports whether data of contentType is JSON. No content type means JSON.
func IsJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || media == event.ApplicationJSON || media == event.TextJSON || strings.HasSuffix(media, "+json")
}
