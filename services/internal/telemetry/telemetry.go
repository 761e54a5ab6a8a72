// Package telemetry sets up what the rest of the program only speaks through: logs by slog, metrics for Prometheus, and
// traces that leave where OTEL_EXPORTER_OTLP_ENDPOINT says.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Config of the telemetry.
type Config struct {
	Version string
	// LogFormat is "text" or "json"; LogLevel is the least level that is written.
	LogFormat string
	LogLevel  slog.Level
	LogOutput io.Writer // nil: standard error
}

// Telemetry is what Setup started.
type Telemetry struct {
	Log *slog.Logger
	// Metrics serves the Prometheus page.
	Metrics http.Handler
	stop    []func(context.Context) error
}

// Setup installs the process-wide providers of the OpenTelemetry API. Call it once, before building anything that
// records; Shutdown sends what is buffered.
func Setup(ctx context.Context, cfg Config) (*Telemetry, error) {
	t := &Telemetry{Log: logger(cfg)}
	// A collector that is away must not fill the log: say it once a minute at most.
	otel.SetErrorHandler(throttled(t.Log, time.Minute))
	res := resource.NewSchemaless(attribute.String("service.name", "signalbox"), attribute.String("service.version", cfg.Version))

	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exp, err := otelprom.New(otelprom.WithRegisterer(reg))
	if err != nil {
		return nil, fmt.Errorf("metrics exporter: %w", err)
	}
	mp := metric.NewMeterProvider(metric.WithReader(exp), metric.WithResource(res), metric.WithCardinalityLimit(2000))
	otel.SetMeterProvider(mp)
	t.Metrics = promhttp.HandlerFor(reg, promhttp.HandlerOpts{EnableOpenMetrics: true})
	t.stop = append(t.stop, mp.Shutdown)

	tp, err := tracer(ctx, res)
	if err != nil {
		return nil, err
	}
	otel.SetTracerProvider(tp)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	t.stop = append(t.stop, tp.Shutdown)
	return t, nil
}

// tracer always makes valid span contexts, so that events carry a creation context; spans leave the process only where
// an OTLP endpoint is named.
func tracer(ctx context.Context, res *resource.Resource) (*trace.TracerProvider, error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return trace.NewTracerProvider(trace.WithResource(res), trace.WithSampler(trace.NeverSample())), nil
	}
	exp, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	return trace.NewTracerProvider(trace.WithResource(res), trace.WithBatcher(exp)), nil
}

// Shutdown sends what is buffered, within ctx.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var faults []error
	for _, f := range t.stop {
		faults = append(faults, f(ctx))
	}
	return errors.Join(faults...)
}
