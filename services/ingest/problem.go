package ingest

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// How long a client is asked to wait: for others to finish, and for Kafka or the database to come back.
const (
	retrySoon  = time.Second
	retryLater = 2 * time.Second
)

// maxDetail bounds a detail, which may quote the event, in bytes.
const maxDetail = 1000

// refuse returns a problem whose detail is bounded: what is quoted comes from outside.
func refuse(status int, code, format string, args ...any) *httpapi.Problem {
	p := httpapi.Faultf(status, code, format, args...)
	if len(p.Detail) > maxDetail {
		p.Detail = p.Detail[:maxDetail] + "..."
	}
	p.Detail = strings.ToValidUTF8(p.Detail, "")
	return p
}

func malformed(format string, args ...any) *httpapi.Problem {
	return refuse(http.StatusBadRequest, "malformed", format, args...)
}

func unsupported(format string, args ...any) *httpapi.Problem {
	return refuse(http.StatusUnsupportedMediaType, "unsupported_media_type", format, args...)
}

func tooLarge(limit int64) *httpapi.Problem {
	return refuse(http.StatusRequestEntityTooLarge, "too_large",
		"an event may have %d bytes, a batch %d: this has more than %d", maxEvent, maxBody, limit)
}

func overloaded() *httpapi.Problem {
	return refuse(http.StatusTooManyRequests, "overloaded",
		"too much is under way, and nothing of this was taken: send it again later").RetryAfter(retrySoon)
}

// unpublished says why the log did not acknowledge an event. It names nothing internal.
func unpublished(err error) *httpapi.Problem {
	switch {
	case errors.Is(err, events.ErrBufferFull):
		return refuse(http.StatusTooManyRequests, "buffer_full",
			"too many events are on their way to the log, and this one was not taken: send it again later").RetryAfter(retrySoon)
	case errors.Is(err, events.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge, "too_large", "the event is larger than its topic accepts: send less data")
	case errors.Is(err, events.ErrNotEvent):
		return malformed("%v", err)
	case errors.Is(err, events.ErrNoTopic):
		return refuse(http.StatusServiceUnavailable, "no_topic",
			"the stream is declared, but its topic is not there yet: send the event again").RetryAfter(retryLater)
	}
	return refuse(http.StatusServiceUnavailable, "unacknowledged",
		"the log did not acknowledge the event in time, so it may be there or not: send it again with the same id").RetryAfter(retryLater)
}

// mayRetry reports whether the same event may be taken later.
func mayRetry(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable || status == http.StatusFailedDependency
}
