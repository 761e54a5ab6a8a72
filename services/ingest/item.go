package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry/streams"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// maxAttributes bounds the context attributes of an event, in bytes of names and values. They travel as record headers,
// for which a topic has only some room beyond the event's own size, and the key repeats one of them.
const maxAttributes = 32 << 10

// item is one event of a request on its way to the log.
type item struct {
	id       string
	ev       events.Event
	contract *streams.Contract // nil until the type is known
	position events.Position

	fault  *httpapi.Problem // why the event is not in the log; nil while it may get there, and once it is
	faults []schema.Fault   // where the data breaks the schema
	cause  error            // of the fault, for the log
}

// newItem judges a decoded event on its own. dataBytes is the size of data that came outside of any checked size.
func newItem(ev events.Event, dataBytes int, err error) item {
	if err != nil {
		return item{fault: malformed("%v", err)}
	}
	it := item{id: ev.ID(), ev: ev}
	size, err := checkAttributes(ev)
	switch {
	case err != nil:
		it.fault = malformed("%v: %v", events.ErrNotEvent, err)
	case size > maxAttributes:
		it.fault = refuse(http.StatusRequestEntityTooLarge, "too_large", "the attributes have more than %d bytes: what describes the event belongs into its data", maxAttributes)
	case size+dataBytes > maxEvent:
		it.fault = tooLarge(maxEvent)
	}
	return it
}

// checkAttributes returns the size of the attributes. Control characters, U+0000 before all, are no text of CloudEvents,
// and databases refuse them long after the event was taken.
func checkAttributes(ev events.Event) (size int, err error) {
	const overhead = 8 // of a record header
	for name, text := range events.Attributes(ev) {
		size += len(name) + len(text) + overhead
		if name == "partitionkey" && text == "" {
			return size, errors.New("partitionkey: it is empty: leave it out, or name what the event is about")
		}
		if at := controlAt(text); at >= 0 {
			return size, fmt.Errorf("attribute %.40q: control character at byte %d: remove it", name, at)
		}
	}
	return size, nil
}

// controlAt returns where the first control character is, or -1.
func controlAt(text string) int {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			return strings.IndexFunc(text, unicode.IsControl)
		case c < ' ' || c == 0x7f:
			return i
		}
	}
	return -1
}

// complete sets what the sender left to us.
func (it *item) complete(now time.Time) {
	if it.ev.DataContentType() == "" {
		it.ev.SetDataContentType("application/json")
	}
	if it.ev.Time().IsZero() {
		it.ev.SetTime(now)
	}
}
