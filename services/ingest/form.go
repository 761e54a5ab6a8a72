package ingest

import (
	"encoding/json"
	"mime"
	"net/http"
	"strings"

	"github.com/signalbox-ml/signalbox/events"
)

// form is one of the three ways in which a request carries events.
type form int

const (
	formBinary form = iota
	formStructured
	formBatch
)

const (
	mediaStructured = "application/cloudevents+json"
	mediaBatch      = "application/cloudevents-batch+json"
)

// formOf tells the form by the headers, as the HTTP binding of CloudEvents has it.
func formOf(h http.Header) (form, error) {
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		media = strings.ToLower(strings.TrimSpace(h.Get("Content-Type")))
	}
	switch {
	case media == mediaStructured, media == mediaBatch:
		if cs := params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") {
			return 0, unsupported("charset %.40q: send UTF-8", cs)
		}
		if media == mediaBatch {
			return formBatch, nil
		}
		return formStructured, nil
	case strings.HasPrefix(media, "application/cloudevents"):
		return 0, unsupported("content type %.100q: send %s or %s", media, mediaStructured, mediaBatch)
	}
	for name := range h {
		if _, ok := attributeOf(name); ok {
			return formBinary, nil
		}
	}
	return 0, unsupported("content type %.100q: send %s, %s, or the data alone with the attributes in ce- headers",
		media, mediaStructured, mediaBatch)
}

func (f form) limit() int64 {
	if f == formBatch {
		return maxBody
	}
	return maxEvent
}

// decode reads events that split has cut apart. What is wrong with one of them is that item's fault.
func decode(f form, h http.Header, list [][]byte) []*item {
	items, own := make([]*item, len(list)), make([]item, len(list)) // one piece of memory, not hundreds
	for i, raw := range list {
		if f == formBinary {
			ev, err := decodeBinary(h, raw)
			own[i] = newItem(ev, len(raw), err)
		} else {
			own[i] = decodeJSON(raw)
		}
		items[i] = &own[i]
	}
	return items
}

// decodeJSON reads an event in the JSON event format.
func decodeJSON(raw []byte) item {
	if len(raw) > maxEvent {
		return item{id: idOf(raw), fault: tooLarge(maxEvent)}
	}
	ev, err := events.ParseJSON(raw)
	it := newItem(ev, 0, err)
	if err != nil {
		it.id = idOf(raw)
	}
	return it
}

// idOf finds the id of what is no event otherwise, so that its sender knows which one is meant.
func idOf(raw []byte) string {
	var v struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &v); err != nil || len(v.ID) > maxDetail {
		return ""
	}
	return v.ID
}

// split cuts a body into its events without looking into them: it costs little against what they cost later.
func split(f form, body []byte) ([][]byte, error) {
	if f != formBatch {
		return [][]byte{body}, nil
	}
	list := [][]byte{}
	for raw, err := range events.Elements(body) {
		switch {
		case err != nil:
			return nil, malformed("a batch is a JSON array of events, and this is none after %d events: %v", len(list), err)
		case len(list) == maxBatch:
			return nil, refuse(http.StatusRequestEntityTooLarge, "too_large", "a batch may have %d events: send several", maxBatch)
		}
		list = append(list, raw)
	}
	return list, nil
}
