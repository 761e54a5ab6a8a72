package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
)

const problemType = "https://signalbox.dev/problems/"

// Problem is an error that a client may see: RFC 9457. Everything in it is public.
type Problem struct {
	Status     int
	Code       string // stable, the last segment of the type
	Detail     string // what is wrong and what to do about it
	retryAfter time.Duration
	members    map[string]any
}

// Fault returns a Problem.
func Fault(status int, code, detail string) *Problem {
	return &Problem{Status: status, Code: code, Detail: detail}
}

// Faultf returns a Problem with a formatted detail. Arguments must be safe to show.
func Faultf(status int, code, format string, args ...any) *Problem {
	return Fault(status, code, fmt.Sprintf(format, args...))
}

// With adds an extension member.
func (p *Problem) With(key string, v any) *Problem {
	q := *p
	q.members = map[string]any{key: v}
	for k, old := range p.members {
		q.members[k] = old
	}
	return &q
}

// RetryAfter tells the client when to come back; it is rounded up to whole seconds.
func (p *Problem) RetryAfter(d time.Duration) *Problem {
	q := *p
	q.retryAfter = d
	return &q
}

// Error returns the code and the detail.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// body is the document as sent.
func (p *Problem) body(requestID string) map[string]any {
	m := map[string]any{
		"type":       problemType + p.Code,
		"title":      http.StatusText(p.Status),
		"status":     p.Status,
		"code":       p.Code,
		"detail":     p.Detail,
		"request_id": requestID,
	}
	for k, v := range p.members {
		if _, taken := m[k]; !taken {
			m[k] = v
		}
	}
	return m
}

// problemOf maps an error to what a client may see. Unknown errors become a bare 500: nothing internal leaves.
func problemOf(r *http.Request, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return Faultf(http.StatusRequestEntityTooLarge, "too_large", "the body is larger than %d bytes", tooLarge.Limit)
	case errors.Is(err, registry.ErrNotFound):
		return Faultf(http.StatusNotFound, "not_found", "there is nothing at %s", r.URL.Path)
	case errors.Is(err, registry.ErrBadName):
		return Fault(http.StatusBadRequest, "bad_name", registry.ErrBadName.Error())
	}
	return Fault(http.StatusInternalServerError, "internal", "the request could not be served; the request id finds the reason in the log")
}

// writeProblem answers with err and logs what is ours to mend.
func writeProblem(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	p := problemOf(r, err)
	if p.Status >= http.StatusInternalServerError {
		level := slog.LevelWarn // something is away or full, and the answer says so
		if p.Status == http.StatusInternalServerError {
			level = slog.LevelError
		}
		log.Log(r.Context(), level, "request failed", "method", r.Method, "route", r.Pattern, "status", p.Status,
			"request_id", w.Header().Get(headerRequestID), "error", err)
	}
	if p.retryAfter > 0 {
		secs := int64((p.retryAfter + time.Second - 1) / time.Second)
		w.Header().Set("Retry-After", strconv.FormatInt(secs, 10))
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if err := json.NewEncoder(w).Encode(p.body(w.Header().Get(headerRequestID))); err != nil {
		log.DebugContext(r.Context(), "problem not sent", "error", err)
	}
}
