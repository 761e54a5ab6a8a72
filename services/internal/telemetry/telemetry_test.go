package telemetry

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
)

func TestSetupServesMetricsAndMakesTraceIDs(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	var log bytes.Buffer
	tel, err := Setup(t.Context(), Config{Version: "test", LogFormat: "json", LogLevel: slog.LevelInfo, LogOutput: &log})
	if err != nil {
		t.Fatal(err)
	}
	counter, err := otel.Meter("test").Int64Counter("signalbox.test.things")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	w := httptest.NewRecorder()
	tel.Metrics.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{"signalbox_test_things_total", "} 3", "go_goroutines", "process_cpu_seconds_total"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("metrics lack %q", want)
		}
	}
	_, span := otel.Tracer("test").Start(t.Context(), "s")
	if !span.SpanContext().IsValid() {
		t.Error("no valid span context without a collector")
	}
	span.End()
	tel.Log.Info("hello", "run_id", "r1")
	tel.Log.Debug("hidden")
	if got := log.String(); !strings.Contains(got, `"run_id":"r1"`) || strings.Contains(got, "hidden") {
		t.Errorf("log %q", got)
	}
	if err := tel.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}
