package registryapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// How far the broker's time of a prediction's event may be from the time that its id or a caller says.
const (
	clockSkew = time.Minute // the server's clock was ahead of the broker's
	delay     = time.Hour   // the event waited for the log
)

// window says when the event of a prediction was appended, as far as that is known: around near, else after the time
// that the id was made at, if it says so. known is false for all of time.
func window(id uuid.UUID, near time.Time) (from, to time.Time, known bool) {
	switch {
	case !near.IsZero():
		return near.Add(-delay), near.Add(delay), true
	case id.Version() == 7:
		made := time.Unix(id.Time().UnixTime())
		return made.Add(-clockSkew), made.Add(delay), true
	}
	return time.Time{}, time.Time{}, false
}

// candidates are the archive files that may hold the prediction, the likeliest first: with a time those that came first
// after it, without one the newest.
func (s *Server) candidates(ctx context.Context, id uuid.UUID, near time.Time) ([]ledger.LedgerFile, error) {
	from, to, known := window(id, near)
	files, err := s.cfg.Ledger.Files(ctx, ledger.FileQuery{Topic: events.TopicPredictions, From: from, To: to})
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f ledger.LedgerFile) bool {
		return f.Type != events.TypePredictionMade && f.Type != ledger.TypeMixed
	})
	slices.SortStableFunc(files, func(a, b ledger.LedgerFile) int {
		switch {
		case !near.IsZero():
			return cmp.Compare(distance(a.File, near), distance(b.File, near))
		case known:
			return a.MinSeen.Compare(b.MinSeen)
		}
		return b.MaxSeen.Compare(a.MaxSeen)
	})
	return files, nil
}

// distance is how far a file's append times are from t.
func distance(f ledger.File, t time.Time) time.Duration {
	return max(f.MinSeen.Sub(t), t.Sub(f.MaxSeen), 0)
}

// search finds a prediction in the archive. It waits for its turn: every search has a file in memory.
func (s *Server) search(ctx context.Context, id uuid.UUID, near time.Time) (remote.ArchivedPrediction, error) {
	files, err := s.candidates(ctx, id, near)
	if err != nil {
		return remote.ArchivedPrediction{}, err
	}
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return remote.ArchivedPrediction{}, ctx.Err()
	}
	var unread []error
	budget := s.cfg.SearchBytes
	for i, f := range files {
		if budget -= f.Bytes; i == s.cfg.SearchFiles || budget < 0 {
			return remote.ArchivedPrediction{}, notArchived("not among the archive files that were searched: say when it was made with ?near=<RFC 3339 time>")
		}
		place, err := s.look(ctx, f, id.String())
		switch {
		case err == nil:
			return place, nil
		case ctx.Err() != nil:
			return remote.ArchivedPrediction{}, err
		case !errors.Is(err, segment.ErrNotFound):
			s.cfg.Log.WarnContext(ctx, "archive file not searched", "key", f.Key, "error", err)
			unread = append(unread, err)
		}
	}
	if len(unread) > 0 { // it may be in one of those
		return remote.ArchivedPrediction{}, errors.Join(unread...)
	}
	return remote.ArchivedPrediction{}, notArchived("not archived yet or unknown: try again in a few seconds")
}

func notArchived(detail string) error {
	return httpapi.Fault(http.StatusNotFound, "not_archived", detail).RetryAfter(searchRetry)
}
