// Package ingest is the HTTP edge for events: what it answers with success is in the log. It checks each event against
// the stream that declares its type, and keeps nothing.
//
// Where the standards leave room: time is set to the time of arrival where the sender gives none, and datacontenttype to
// application/json. An event is known by its source and id. A repeat is appended again, because consumers must expect
// repeats anyway, so an Idempotency-Key is accepted and changes nothing.
package ingest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/signalbox-ml/signalbox/registry/streams"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// Server takes events. It is safe for concurrent use.
type Server struct {
	cfg       Config
	directory *streams.Directory
	bytes     *budget
	events    *budget
	metrics   metrics
}

// New returns a Server. It does not connect to anything yet.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("ingest config: %w", err)
	}
	directory, err := streams.New(streams.Config{Specs: cfg.Specs, Gap: cfg.LookGap, Timeout: cfg.LookTimeout, Log: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("ingest config: %w", err)
	}
	s := &Server{cfg: cfg, directory: directory, bytes: newBudget(cfg.MaxBytes), events: newBudget(cfg.MaxEvents)}
	if s.metrics, err = newMetrics(s.bytes, cfg.MaxBytes); err != nil {
		return nil, fmt.Errorf("ingest metrics: %w", err)
	}
	return s, nil
}

// Run keeps the declared streams up to date until ctx ends. Without it every look is caused by a request.
func (s *Server) Run(ctx context.Context) error {
	s.directory.Poll(ctx, s.cfg.Refresh)
	return nil
}

// Routes registers the API.
func (s *Server) Routes(rt *httpapi.Router) {
	rt.Handle("POST /v1/events", auth.EventsPublish, s.post)
}

func (s *Server) post(w http.ResponseWriter, r *http.Request) error {
	arrived := time.Now()
	f, whole, err := head(r)
	if err != nil {
		return err
	}
	memory, slots := s.bytes.lease(), s.events.lease()
	defer memory.end()
	defer slots.end()

	// A deadline is not everywhere to be had, and a test's recorder does without.
	conn := http.NewResponseController(w)
	_ = conn.SetReadDeadline(arrived.Add(s.cfg.ReadTimeout))
	if s.events.spent() {
		return overloaded() // who refuses after the work was done has no time left for what it could take
	}
	body, err := read(w, r, f.limit(), memory)
	if err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Time{}) // else it would end the request later on

	list, err := split(f, body)
	if err != nil {
		return err
	}
	if !slots.take(int64(len(list))) {
		return overloaded()
	}
	items := decode(f, r.Header, list)
	ctx := r.Context()
	s.admit(ctx, arrived, items)
	refused := whole && slices.ContainsFunc(items, func(it *item) bool { return it.fault != nil })
	if refused {
		refuseWhole(items)
	} else {
		s.publish(ctx, items)
	}
	s.metrics.done(ctx, items, len(body), time.Since(arrived))
	switch {
	case f != formBatch:
		return answerOne(w, items[0])
	case refused:
		return answerWhole(items)
	}
	return s.answerBatch(w, r, items)
}

// head reads what the headers and the query say: the form, and whether a batch is to be taken whole or not at all.
func head(r *http.Request) (f form, whole bool, err error) {
	if _, err := httpapi.IdempotencyKey(r); err != nil {
		return 0, false, err
	}
	if text := r.URL.Query().Get("atomic"); text != "" {
		if whole, err = strconv.ParseBool(text); err != nil {
			return 0, false, malformed("atomic: want true or false")
		}
	}
	f, err = formOf(r.Header)
	return f, whole, err
}
