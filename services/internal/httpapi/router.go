// Package httpapi is the HTTP edge that all services share: handlers return errors, one mapper turns them into
// problem+json, and a route cannot exist without saying which permission it needs.
package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

const headerRequestID = "Signalbox-Request-Id"

// Handler serves a request or says why it cannot.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one registered route.
type Route struct {
	Pattern    string
	Permission auth.Permission
}

// Config of a Router.
type Config struct {
	Auth *auth.Authenticator
	Log  *slog.Logger
	// Hosts are the names that a Host header may have, without port. Empty allows loopback names and addresses only:
	// a page in a browser must not reach a local server through a name that it controls.
	Hosts []string
}

// Router dispatches requests. Register every route before serving.
type Router struct {
	cfg    Config
	mux    *http.ServeMux
	routes []Route
	tracer trace.Tracer
	timer  metric.Float64Histogram
}

// NewRouter returns a Router without routes.
func NewRouter(cfg Config) (*Router, error) {
	if cfg.Auth == nil {
		return nil, errors.New("httpapi: Auth is required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	timer, err := otel.Meter("signalbox/httpapi").Float64Histogram("http.server.request.duration",
		metric.WithUnit("s"), metric.WithDescription("Time from the request's headers to the end of the answer."))
	if err != nil {
		return nil, fmt.Errorf("httpapi metrics: %w", err)
	}
	return &Router{cfg: cfg, mux: http.NewServeMux(), tracer: otel.Tracer("signalbox/httpapi"), timer: timer}, nil
}

// Handle registers a route. It panics on an empty permission, as http.ServeMux does on a bad pattern: both are faults
// of the program, found by the first test that builds the router.
func (rt *Router) Handle(pattern string, p auth.Permission, h Handler) {
	rt.handle(pattern, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			writeProblem(w, r, rt.cfg.Log, err)
		}
	}))
}

// Mount registers a plain http.Handler, such as the metrics page.
func (rt *Router) Mount(pattern string, p auth.Permission, h http.Handler) { rt.handle(pattern, p, h) }

func (rt *Router) handle(pattern string, p auth.Permission, h http.Handler) {
	if p == "" {
		//nolint:forbidigo // as http.ServeMux does: the first test that builds the router finds it
		panic("httpapi: route " + pattern + " declares no permission")
	}
	rt.routes = append(rt.routes, Route{Pattern: pattern, Permission: p})
	rt.mux.Handle(pattern, rt.observe(pattern, rt.authorize(p, h)))
}

// Routes lists what is registered, for the tests that walk every route.
func (rt *Router) Routes() []Route { return slices.Clone(rt.routes) }

// ServeHTTP implements http.Handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(headerRequestID, uuid.NewString())
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if !rt.hostAllowed(r.Host) {
		writeProblem(w, r, rt.cfg.Log, Fault(http.StatusMisdirectedRequest, "wrong_host",
			"this server does not answer for that host name; the operator lists names with --host"))
		return
	}
	if _, pattern := rt.mux.Handler(r); pattern == "" {
		rt.unmatched(w, r)
		return
	}
	rt.mux.ServeHTTP(w, r)
}

// unmatched answers what no route takes in the same shape as every other error.
func (rt *Router) unmatched(w http.ResponseWriter, r *http.Request) {
	probe := &statusProbe{header: http.Header{}}
	rt.mux.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		writeProblem(w, r, rt.cfg.Log, Faultf(http.StatusMethodNotAllowed, "method_not_allowed", "use %s", probe.header.Get("Allow")))
		return
	}
	writeProblem(w, r, rt.cfg.Log, Fault(http.StatusNotFound, "no_route", "there is nothing at this path"))
}

func (rt *Router) authorize(p auth.Permission, next http.Handler) http.Handler {
	if p == auth.Public {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := rt.cfg.Auth.Request(r)
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer realm="signalbox"`)
			writeProblem(w, r, rt.cfg.Log, Fault(http.StatusUnauthorized, "unauthenticated",
				"send a valid token: Authorization: Bearer <token>"))
			return
		}
		if !who.Can(p) {
			writeProblem(w, r, rt.cfg.Log, Faultf(http.StatusForbidden, "forbidden", "this needs the permission %s", p))
			return
		}
		next.ServeHTTP(w, r.WithContext(auth.With(r.Context(), who)))
	})
}

// observe gives each request a span, a duration and a guard against panics.
func (rt *Router) observe(pattern string, next http.Handler) http.Handler {
	known := &routeLabels{route: pattern}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := rt.tracer.Start(ctx, pattern, trace.WithSpanKind(trace.SpanKindServer))
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			if v := recover(); v != nil {
				rt.cfg.Log.ErrorContext(ctx, "handler panicked", "route", pattern, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
				if !rec.wrote {
					writeProblem(rec, r, rt.cfg.Log, errors.New("panic"))
				}
			}
			if rec.status >= http.StatusInternalServerError {
				span.SetStatus(codes.Error, http.StatusText(rec.status))
			}
			l := known.of(rec.status)
			rt.timer.Record(ctx, time.Since(begin).Seconds(), l.record)
			if span.IsRecording() {
				span.SetAttributes(l.list...)
			}
			span.End()
		}()
		next.ServeHTTP(rec, r.WithContext(ctx))
	})
}
