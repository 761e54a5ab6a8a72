package segment

import (
	"time"

	"github.com/signalbox-ml/signalbox/events"
)

// Kind is what a writer must know of a record before it chooses a file.
type Kind struct {
	// Type is the CloudEvents type; empty for a record that is no CloudEvent.
	Type []byte
	// Recorded is the recordedtime extension, in microseconds; zero where absent.
	Recorded time.Time
	// Layout is another number than for the record before where the names of the headers are others.
	Layout int
}

// Inspector finds the Kind of one record after another. It is not safe for concurrent use.
type Inspector struct {
	layout  layout
	layouts int
}

// Inspect reads r as far as needed for its Kind. Type aliases r where r is in binary mode.
func (in *Inspector) Inspect(r *events.Record) Kind {
	if in.layouts == 0 || !in.layout.fits(r) {
		in.layouts++
	}
	k := kindOf(in.layout.of(r), r)
	k.Layout = in.layouts
	return k
}

func kindOf(l *layout, r *events.Record) Kind {
	if isStructured(text(l.value(r, attrDataContentType))) {
		env, ok := parseEnvelope(r.Value)
		if !ok {
			return Kind{}
		}
		return Kind{Type: []byte(env.text("type")), Recorded: timeOf([]byte(env.text("recordedtime")))}
	}
	k := Kind{Type: text(l.value(r, attrType)), Recorded: timeOf(l.value(r, attrRecordedTime))}
	if string(l.value(r, attrVersion)) != specVersion || text(l.value(r, attrID)) == nil || text(l.value(r, attrSource)) == nil || k.Type == nil {
		return Kind{}
	}
	return k
}

func timeOf(v []byte) time.Time {
	t, ok := parseTime(v)
	if !ok {
		return time.Time{}
	}
	return time.UnixMicro(t).UTC()
}

// parseTime reads a timestamp of the attribute grammar, RFC 3339, in microseconds since the epoch. It must have such a text in
// UTC too: a zone can take the last day of the year 9999 into the next.
func parseTime(v []byte) (int64, bool) {
	var t time.Time
	if len(v) == 0 || t.UnmarshalText(v) != nil {
		return 0, false
	}
	if year := t.UTC().Year(); year < 0 || year > 9999 {
		return 0, false
	}
	return t.UnixMicro(), true
}

// isCanonicalTime reports whether v, which parses, is the text that its microseconds are written as: in UTC, without
// trailing zeros and with nothing that was cut off.
func isCanonicalTime(v []byte) bool {
	const whole, micros = len("2006-01-02T15:04:05Z"), len("2006-01-02T15:04:05.000000Z")
	last := len(v) - 1
	return v[last] == 'Z' && (len(v) == whole || len(v) <= micros && v[last-1] != '0')
}
