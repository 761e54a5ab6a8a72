package events

import "errors"

// Why an event has no position in the log. All but ErrTooLarge and ErrNoTopic are worth another try with the same id.
var (
	// ErrBufferFull means that nothing was sent: the events on their way fill the publisher's buffer.
	ErrBufferFull = errors.New("publish buffer is full: send less or later")
	// ErrUnacknowledged means that the outcome is unknown: the event may be in the log already or get there later.
	ErrUnacknowledged = errors.New("not acknowledged in time: publish again with the same id")
	// ErrNoTopic means that the topic does not exist; topics are created by declaring a stream, never by publishing.
	ErrNoTopic = errors.New("topic does not exist: declare it first")
	// ErrTooLarge means that the topic accepts no event of that size.
	ErrTooLarge = errors.New("event is larger than the topic accepts")
)

// ErrNotEvent marks bytes that are no CloudEvent 1.0. What wraps it says which attribute is wrong and is safe to show
// to whoever sent the bytes.
var ErrNotEvent = errors.New("not a CloudEvent")
