package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/consumers/archive/icebergview"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// router has what every process of Signalbox answers: /livez, /readyz and /metrics.
func (s *service) router() (*httpapi.Router, error) {
	if err := s.cfg.CheckListen(); err != nil {
		return nil, err
	}
	a, err := s.authenticator()
	if err != nil {
		return nil, err
	}
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: a, Log: s.tel.Log, Hosts: s.cfg.Hosts})
	if err != nil {
		return nil, err
	}
	rt.Handle("GET /livez", auth.Public, func(w http.ResponseWriter, _ *http.Request) error {
		return httpapi.JSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	rt.Handle("GET /readyz", auth.Public, func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := s.catalog.Ping(ctx); err != nil {
			s.tel.Log.WarnContext(ctx, "not ready", "part", "database", "error", err)
			return httpapi.Faultf(http.StatusServiceUnavailable, "not_ready", "database is not ready").RetryAfter(time.Second)
		}
		return httpapi.JSON(w, http.StatusOK, map[string]string{"status": "ready"})
	})
	rt.Mount("GET /metrics", auth.MetricsRead, s.tel.Metrics)
	return rt, nil
}

// authenticator knows the tokens of the configuration. No jobs report here, so their key is nobody's.
func (s *service) authenticator() (*auth.Authenticator, error) {
	var tokens []auth.Token
	if s.cfg.Tokens != "" {
		b, err := os.ReadFile(s.cfg.Tokens)
		if err != nil {
			return nil, fmt.Errorf("read tokens: %w", err)
		}
		if tokens, err = auth.ParseTokens(b); err != nil {
			return nil, fmt.Errorf("tokens %s: %w", s.cfg.Tokens, err)
		}
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("run key: %w", err)
	}
	return auth.New(tokens, key)
}

// observe exports a publisher's figures.
func observe(stats func() icebergview.Stats) error {
	m := otel.Meter("github.com/signalbox-ml/signalbox/consumers/archive/icebergview")
	figures := []struct {
		name, description string
		of                func(icebergview.Stats) int64
	}{
		{"snapshots", "Snapshots that were made.", func(s icebergview.Stats) int64 { return s.Snapshots }},
		{"files_added", "Files that came into tables.", func(s icebergview.Stats) int64 { return s.Added }},
		{"files_removed", "Files that left tables.", func(s icebergview.Stats) int64 { return s.Removed }},
		{"beaten", "Snapshots that another publisher was faster with.", func(s icebergview.Stats) int64 { return s.Beaten }},
		{"failures", "Tables that could not be kept up, and are looked at again.", func(s icebergview.Stats) int64 { return s.Failures }},
		{"swept", "Objects of metadata that nothing needed any more.", func(s icebergview.Stats) int64 { return s.Swept }},
	}
	var faults []error
	instruments, all := make([]metric.Int64ObservableCounter, len(figures)), make([]metric.Observable, len(figures))
	for i, f := range figures {
		var err error
		instruments[i], err = m.Int64ObservableCounter("signalbox.archive.iceberg."+f.name, metric.WithDescription(f.description))
		all[i], faults = instruments[i], append(faults, err)
	}
	_, err := m.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := stats()
		for i, f := range figures {
			o.ObserveInt64(instruments[i], f.of(s))
		}
		return nil
	}, all...)
	return errors.Join(append(faults, err)...)
}
