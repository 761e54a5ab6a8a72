package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// What a *Problem may be, for errors.Is.
var (
	ErrInvalid     = errors.New("the request is wrong: mend it, a repeat will not help")
	ErrDenied      = errors.New("the token is missing, not valid, or lacks the permission")
	ErrNotFound    = errors.New("there is no such thing")
	ErrConflict    = errors.New("what was to be changed does not stand where the request needs it")
	ErrUnavailable = errors.New("the server cannot answer at the moment: try again later")
)

// Problem is a refusal: RFC 9457.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"` // the status in words
	Status int    `json:"status"`
	// Code is the last segment of Type, such as schema_violation; "" where the server is none of ours.
	Code   string `json:"code"`
	Detail string `json:"detail"` // what is wrong and what to do about it
	// RequestID finds the request in the server's log.
	RequestID string `json:"request_id"`
	// Errors is everything that is wrong with the body.
	Errors []Fault `json:"errors"`
	// RetryAfter is how long the server asks to wait; 0 where it does not say.
	RetryAfter time.Duration `json:"-"`
	// Body is the whole document, for members that only some problems have.
	Body json.RawMessage `json:"-"`

	call string
}

// Fault is one thing that is wrong.
type Fault struct {
	Pointer string `json:"pointer"` // JSON pointer into the body; "" for the whole
	Detail  string `json:"detail"`
}

// Error says what was asked, what was answered and where to look further.
func (p *Problem) Error() string {
	s := fmt.Sprintf("%s: %d %s", p.call, p.Status, p.Title)
	switch {
	case len(p.Errors) > 1: // the detail tells of one
		for i, f := range p.Errors {
			s += fmt.Sprintf("%s %s %s", []string{":", ";"}[min(i, 1)], f.Pointer, f.Detail)
		}
	case p.Detail != "":
		s += ": " + p.Detail
	}
	if p.RequestID != "" {
		s += " (request " + p.RequestID + ")"
	}
	return s
}

// Is sorts statuses into the sentinels of this package.
func (p *Problem) Is(target error) bool {
	switch target {
	case ErrInvalid:
		return p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity ||
			p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusUnsupportedMediaType
	case ErrDenied:
		return p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden
	case ErrNotFound:
		return p.Status == http.StatusNotFound
	case ErrConflict:
		return p.Status == http.StatusConflict || p.Status == http.StatusPreconditionFailed
	case ErrUnavailable:
		return p.Temporary()
	}
	return false
}

// Temporary reports whether the same call may succeed later.
func (p *Problem) Temporary() bool {
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// problemOf reads a refusal. Something between us and the server may answer in any other form.
func problemOf(r request, resp *http.Response) *Problem {
	const enough = 16 << 20 // a batch of events is answered with what became of each
	p := &Problem{}
	b, err := io.ReadAll(io.LimitReader(resp.Body, enough))
	if err == nil && strings.Contains(resp.Header.Get("Content-Type"), "json") && json.Unmarshal(b, p) == nil {
		p.Body = b
	} else {
		p = &Problem{}
	}
	p.Status, p.call, p.RetryAfter = resp.StatusCode, r.String(), retryAfter(resp.Header.Get("Retry-After"))
	if p.Code == "" && p.Type != "" {
		p.Code = path.Base(p.Type)
	}
	if p.Title == "" {
		p.Title = http.StatusText(resp.StatusCode)
	}
	if p.RequestID == "" {
		p.RequestID = resp.Header.Get("Signalbox-Request-Id")
	}
	return p
}

// retryAfter reads both forms of the header: seconds, and a date as proxies send it.
func retryAfter(text string) time.Duration {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}
