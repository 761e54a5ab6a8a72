package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/signalbox-ml/signalbox/services/internal/config"
)

// TestHealthListener: a process of workers alone can be asked whether it lives and what it does.
func TestHealthListener(t *testing.T) {
	broken := errors.New("no database")
	a := &app{
		cfg: config.Config{HealthListen: "127.0.0.1:0"}, log: slog.New(slog.DiscardHandler), metrics: http.NotFoundHandler(),
		ready: []check{{"the database", func(context.Context) error { return broken }}},
	}
	var err error
	if a.auth, err = authenticator(config.Config{}, nil); err != nil {
		t.Fatal(err)
	}
	rt, err := a.router()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/livez": http.StatusOK, "/readyz": http.StatusServiceUnavailable, "/metrics": http.StatusUnauthorized, "/v1/runs": http.StatusNotFound} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1"+path, nil)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	if err := a.addHealth(); err != nil {
		t.Fatal(err)
	}
	taken := &app{cfg: config.Config{HealthListen: "256.0.0.1:1"}, auth: a.auth, log: a.log, metrics: a.metrics}
	if err := taken.addHealth(); err == nil {
		t.Error("an address that nobody can listen on is fine")
	}
	if err := errors.Join(a.abandon(), taken.abandon()); err != nil {
		t.Error(err)
	}
}
