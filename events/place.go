package events

import (
	"context"
	"errors"
	"time"
)

// Place is where the log has an event, and since when.
type Place struct {
	Position
	AppendTime time.Time
}

// PlacedHandler is a Handler that judges an event by where it stands, and since when. Its errors mean the same.
type PlacedHandler interface {
	HandleAt(ctx context.Context, ev Event, at Place) error
}

// misfit is an error about data that does not fit its schema.
type misfit struct {
	schema string
	err    error
}

func (m *misfit) Error() string { return m.err.Error() }
func (m *misfit) Unwrap() error { return m.err }

// Misfit is Permanent for data that was held against a schema; schema names it for good, such as by a digest.
func Misfit(reason, schema string, err error) error {
	if err == nil {
		return nil
	}
	return Permanent(reason, &misfit{schema: schema, err: err})
}

// MisfitSchema returns the schema that an error of Misfit names, "" for other errors.
func MisfitSchema(err error) string {
	var m *misfit
	if errors.As(err, &m) {
		return m.schema
	}
	return ""
}
