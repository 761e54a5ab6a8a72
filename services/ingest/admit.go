package ingest

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry/streams"
)

// admit judges events by the contracts of their types. A refusal that a spec applied before arrived could turn around is
// given only by a table that was read since then: whoever applies a stream may use it at once.
func (s *Server) admit(ctx context.Context, arrived time.Time, items []*item) {
	t := s.directory.Table()
	var doubtful []*item
	for _, it := range items {
		if it.fault == nil && !judge(t, it) && t.Read.Before(arrived) {
			doubtful = append(doubtful, it)
		}
	}
	if len(doubtful) > 0 {
		fresh, err := s.directory.After(ctx, arrived)
		for _, it := range doubtful {
			if err != nil {
				it.fault = refuse(http.StatusServiceUnavailable, "streams_unknown",
					"it cannot be told at the moment whether the event fits a declared stream: send it again").RetryAfter(retryLater)
				it.cause = err
				continue
			}
			rejudge(fresh, it)
		}
	}
	now := time.Now().UTC()
	for _, it := range items {
		if it.fault == nil {
			it.complete(now)
			events.WithTrace(ctx, &it.ev)
		}
	}
}

// judge finds the contract of the event and holds its data against it. It reports false where a newer table may come to
// another verdict.
func judge(t *streams.Table, it *item) bool {
	typ := it.ev.Type()
	if events.IsLifecycle(typ) {
		it.fault = refuse(http.StatusForbidden, "reserved_type",
			"types that start with dev.signalbox. are Signalbox's own record: use a type of your own, such as com.example.order.paid")
		return true
	}
	it.contract = t.Contract(typ)
	switch {
	case it.contract == nil:
		it.fault = refuse(http.StatusUnprocessableEntity, "unknown_type",
			"no stream declares the type %.128q: correct it, or declare it in a Stream and apply that", typ)
		return false
	case it.contract.Schema == nil:
		it.fault = refuse(http.StatusServiceUnavailable, "unusable_schema",
			"the declared schema of this type cannot be used: apply the stream again with a schema that can").RetryAfter(retryLater)
		return false
	case !events.IsJSON(it.ev.DataContentType()):
		it.fault = unsupported("data of content type %.100q: the type has a JSON Schema, send application/json", it.ev.DataContentType())
		return true
	}
	return it.check()
}

// check holds the data against the schema.
func (it *item) check() bool {
	data := it.ev.Data()
	if len(data) == 0 {
		it.fault = refuse(http.StatusUnprocessableEntity, "schema_violation", "the event has no data: send what the schema of its type asks for")
		it.faults = []schema.Fault{{Message: "no data"}}
		return false
	}
	err := it.contract.Schema.Check(data)
	if err == nil {
		return true
	}
	it.fault = refuse(http.StatusUnprocessableEntity, "schema_violation", "the data does not fit the schema of %s: %v", it.ev.Type(), err)
	var bad *schema.Error
	if errors.As(err, &bad) {
		it.faults = bad.Faults
	}
	return false
}

// rejudge judges again where the contract has changed.
func rejudge(t *streams.Table, it *item) {
	if c := t.Contract(it.ev.Type()); c == it.contract {
		return
	}
	it.fault, it.faults = nil, nil
	judge(t, it)
}
