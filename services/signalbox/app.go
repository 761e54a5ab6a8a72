package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/config"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
	"github.com/signalbox-ml/signalbox/services/internal/lifecycle"
)

// app is one process of the service: some roles, wired. Its group is in the order of dependence.
type app struct {
	cfg     config.Config
	alone   bool // one role has the process to itself
	log     *slog.Logger
	metrics http.Handler
	python  python
	// embedded says that broker, store and database are this process's own: it makes what they lack, and polls often for the
	// one person who waits.
	embedded bool

	predictURL string
	group      lifecycle.Group
	ready      []check
	consumers  []*kafka.Consumer
	auth       *auth.Authenticator
	parts
}

// check says whether something that requests need is there.
type check struct {
	name string
	ok   func(ctx context.Context) error
}

// build wires roles. What it opened is a worker of the group already when it fails.
func (a *app) build(ctx context.Context, roles []role, tokens []auth.Token) error {
	a.alone = len(roles) == 1
	control, err := a.listener(slices.Contains(roles, roleControl), a.cfg.Listen)
	if err != nil {
		return err
	}
	if control != nil && a.cfg.URL == "" {
		a.cfg.URL = "http://" + control.Addr().String()
	}
	if a.auth, err = authenticator(a.cfg, tokens); err != nil {
		return err
	}
	if err := a.addHealth(); err != nil {
		return err
	}
	if err := a.open(ctx, roles); err != nil {
		return err
	}
	for _, step := range []struct {
		role role
		add  func(context.Context) error
	}{
		{roleArchive, a.addArchive},
		{roleControl, func(ctx context.Context) error { return a.addControl(ctx, control) }},
		{roleGenerate, a.addGenerate},
		{roleTrain, a.addTrain},
		{roleTrain, a.addTune},
		{roleEvaluate, a.addEvaluate},
		{roleConform, a.addConform},
		{rolePredict, a.addPredict},
	} {
		if !slices.Contains(roles, step.role) {
			continue
		}
		if err := step.add(ctx); err != nil {
			return fmt.Errorf("role %s: %w", step.role, err)
		}
	}
	return nil
}

// abandon stops what a build that failed left open.
func (a *app) abandon() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return a.group.Run(ctx)
}

func (a *app) listener(wanted bool, addr string) (net.Listener, error) {
	if !wanted {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w: another stack may be running; choose another address (--listen, --predict-listen), port 0 is a free one", err)
	}
	// Who fails to build must not keep the port; Serve closes it first otherwise, and again is no harm.
	a.group.Add("listener", func(ctx context.Context) error {
		<-ctx.Done()
		_ = l.Close()
		return nil
	})
	return l, nil
}

// addHealth serves what every listener has where the configuration asks for it: a process of workers has no other.
func (a *app) addHealth() error {
	l, err := a.listener(a.cfg.HealthListen != "", a.cfg.HealthListen)
	if err != nil || l == nil {
		return err
	}
	rt, err := a.router()
	if err != nil {
		return err
	}
	a.serve("health", l, rt)
	return nil
}

// httpDrain bounds how long requests under way may take when the process stops.
const httpDrain = 10 * time.Second

// serve adds the worker that answers on l.
func (a *app) serve(name string, l net.Listener, rt *httpapi.Router) {
	a.group.Add(name, lifecycle.Serve(l, rt, httpDrain))
}

// router returns a router with the routes that every listener has.
func (a *app) router() (*httpapi.Router, error) {
	rt, err := httpapi.NewRouter(httpapi.Config{Auth: a.auth, Log: a.log, Hosts: a.cfg.Hosts})
	if err != nil {
		return nil, err
	}
	rt.Handle("GET /livez", auth.Public, func(w http.ResponseWriter, _ *http.Request) error {
		return httpapi.JSON(w, http.StatusOK, map[string]string{"status": "alive"})
	})
	rt.Handle("GET /readyz", auth.Public, func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if name, err := a.unready(ctx); err != nil {
			a.log.WarnContext(ctx, "not ready", "part", name, "error", err)
			return httpapi.Faultf(http.StatusServiceUnavailable, "not_ready", "%s is not ready", name).RetryAfter(time.Second)
		}
		return httpapi.JSON(w, http.StatusOK, readiness{Status: "ready", Held: a.held()})
	})
	rt.Mount("GET /metrics", auth.MetricsRead, a.metrics)
	return rt, nil
}

// readiness is the answer of /readyz. A process is ready although partitions of its consumers stand: requests must not
// suffer from events.
type readiness struct {
	Status string   `json:"status"`
	Held   []string `json:"held,omitempty"` // where consumers stand because they had too many dead letters
}

func (a *app) held() (out []string) {
	for _, c := range a.consumers {
		for _, at := range c.Held() {
			out = append(out, at.String())
		}
	}
	return out
}

// unready returns the first check that fails.
func (a *app) unready(ctx context.Context) (string, error) {
	for _, c := range a.ready {
		if err := c.ok(ctx); err != nil {
			return c.name, err
		}
	}
	return "", nil
}

// awaitReady waits until every check succeeds or ctx ends.
func (a *app) awaitReady(ctx context.Context) error {
	t := time.NewTicker(50 * time.Millisecond)
	defer t.Stop()
	for {
		name, err := a.unready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s: %w", name, err), ctx.Err())
		case <-t.C:
		}
	}
}
