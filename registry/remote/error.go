package remote

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

// Error is an answer that is no success, as its problem document (RFC 9457) has it.
type Error struct {
	Status int
	// Code is stable: the last segment of the problem's type.
	Code      string
	Title     string
	Detail    string // what is wrong and what to do about it
	RequestID string // finds the request in the server's log
	// RetryAfter is how long the server asks to wait; 0 where it does not say.
	RetryAfter time.Duration
	// Body is the whole document, for members that only some problems have.
	Body json.RawMessage

	method, path string
}

// Error says what was asked, what was answered and where to look further.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %s: %d %s", e.method, e.path, e.Status, e.Title)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Is makes the registry's own errors out of statuses, so that a caller need not know which side of the network it is on.
func (e *Error) Is(target error) bool {
	switch target {
	case registry.ErrNotFound:
		return e.Status == http.StatusNotFound
	case registry.ErrTagMoved:
		return e.Status == http.StatusPreconditionFailed
	}
	return false
}

// Temporary reports whether the same call may succeed later.
func (e *Error) Temporary() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// refusal reads the problem document of resp. Something between us and the server may answer in any other form.
func refusal(r request, resp *http.Response) error {
	const enough = 1 << 20
	e := &Error{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode), method: r.method, path: r.path}
	if secs, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32); err == nil && secs >= 0 {
		e.RetryAfter = time.Duration(secs) * time.Second
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, enough))
	if err != nil {
		return e
	}
	var doc struct {
		Type, Title, Detail string
		RequestID           string `json:"request_id"`
	}
	if json.Unmarshal(b, &doc) != nil {
		return e
	}
	e.Body, e.Detail, e.RequestID = b, doc.Detail, doc.RequestID
	if doc.Type != "" {
		e.Code = path.Base(doc.Type)
	}
	if doc.Title != "" {
		e.Title = doc.Title
	}
	return e
}
