package inference

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// absent says why a tag has no route.
func absent(t *table, tag registry.Tag) error {
	l, wanted := t.wanted[tag]
	switch {
	case wanted && l.refused:
		return httpapi.Fault(http.StatusServiceUnavailable, "package_refused",
			"the package that this tag points at cannot be served: the server's log says why").RetryAfter(time.Minute)
	case wanted, !t.known:
		return httpapi.Fault(http.StatusServiceUnavailable, "not_loaded", "the model is not loaded yet: try again").RetryAfter(time.Second)
	}
	return httpapi.Fault(http.StatusNotFound, "not_found", "there is no such model or tag")
}

// failed says why a model gave no answer.
func (s *Server) failed(ctx context.Context, a *asked, err error) error {
	switch {
	case ctx.Err() != nil:
		return httpapi.Fault(http.StatusRequestTimeout, "cancelled", "the request was given up")
	case errors.Is(err, runtime.ErrOverloaded):
		return busy()
	case errors.Is(err, runtime.ErrModel):
		s.cfg.Log.ErrorContext(ctx, "model failed", "package", a.pkg.id.String(), "error", err)
		return httpapi.Fault(http.StatusInternalServerError, "model_failed", "the model failed on these rows; asking again will not help")
	}
	return err
}

// refuse turns what is wrong with a body into a problem.
func refuse(err error) error {
	var row *runtime.RowError
	switch {
	case errors.As(err, &row):
		return httpapi.Fault(http.StatusUnprocessableEntity, row.Code, row.Error()).With("row", row.Row).With("feature", row.Feature)
	case errors.Is(err, runtime.ErrTooManyRows):
		return httpapi.Fault(http.StatusRequestEntityTooLarge, "too_large", err.Error())
	case errors.Is(err, runtime.ErrSyntax):
		return httpapi.Fault(http.StatusBadRequest, "malformed", err.Error())
	}
	return err
}

func busy() error {
	return httpapi.Fault(http.StatusServiceUnavailable, "overloaded", "too many requests at once: try again").RetryAfter(time.Second)
}

// unpinned says why a package that was named by its digest does not answer.
func (s *Server) unpinned(ctx context.Context, id cas.Digest, err error) error {
	switch {
	case errors.Is(err, errBusy):
		return busy()
	case errors.Is(err, registry.ErrNotFound):
		return httpapi.Fault(http.StatusNotFound, "not_found", "there is no such package")
	}
	s.cfg.Log.ErrorContext(ctx, "package not loaded", "package", id.String(), "error", err)
	if errors.Is(err, ErrRefused) {
		return httpapi.Fault(http.StatusConflict, "package_refused", "this package cannot be served: the server's log says why")
	}
	return httpapi.Fault(http.StatusServiceUnavailable, "not_loaded", "the package cannot be loaded at the moment").RetryAfter(5 * time.Second)
}
