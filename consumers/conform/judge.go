package conform

import (
	"errors"
	"fmt"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/streams"
)

// Reasons of violations, as they stand in dead letters. What is no CloudEvent at all is "malformed" there.
const (
	reasonReserved    = "reserved_type"    // a type of Signalbox's own record
	reasonUndeclared  = "undeclared_type"  // no type of the topic's stream
	reasonContentType = "unsupported_type" // of content: the schema is for JSON
	reasonNoData      = "no_data"          // a null or empty value
	reasonSchema      = "schema_violation"
)

// Outcomes that are no violation.
const (
	conforms   = "conforms"
	undeclared = "undeclared_stream" // nobody declared the stream of this topic, or not in words that are known here
	unusable   = "unusable_schema"   // the declared schema cannot be used: its apply was told
	superseded = "superseded"        // what held when it was appended had nothing against it
)

// verdict is what became of one event: an outcome, or a violation with its reason.
type verdict struct {
	outcome  string // empty for a violation
	reason   string
	err      error
	contract *streams.Contract // that was not kept; nil where there is none
}

// against reports whether a newer table may come to another verdict that is better for the event.
func (v verdict) against() bool { return v.outcome != conforms }

// violation returns the permanent error of a violation, nil for other verdicts.
func (v verdict) violation() error {
	switch {
	case v.reason == "":
		return nil
	case v.contract == nil:
		return events.Permanent(v.reason, v.err)
	}
	return events.Misfit(v.reason, v.contract.Spec.String(), v.err)
}

// judge holds an event of a topic against the table.
func judge(t *streams.Table, ev events.Event, topic string) verdict {
	if !t.HasTopic(topic) {
		return verdict{outcome: undeclared}
	}
	typ := ev.Type()
	if events.IsLifecycle(typ) {
		return verdict{reason: reasonReserved, err: fmt.Errorf("types that start with dev.signalbox. are Signalbox's own record, not of %s", topic)}
	}
	c := t.Contract(typ)
	if c == nil || c.Topic != topic {
		return verdict{reason: reasonUndeclared, err: fmt.Errorf("%s does not declare the type %.128q", topic, typ)}
	}
	if c.Schema == nil {
		return verdict{outcome: unusable}
	}
	if !events.IsJSON(ev.DataContentType()) {
		return verdict{reason: reasonContentType, contract: c, err: fmt.Errorf("data of content type %.100q: the type has a JSON Schema", ev.DataContentType())}
	}
	data := ev.Data()
	if len(data) == 0 {
		return verdict{reason: reasonNoData, contract: c, err: errors.New("the event has no data")}
	}
	if err := c.Schema.Check(data); err != nil {
		return verdict{reason: reasonSchema, contract: c, err: err}
	}
	return verdict{outcome: conforms}
}
