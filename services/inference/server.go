package inference

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// Server answers predict requests. Run must run for it to serve anything.
type Server struct {
	cfg     Config
	loader  *Loader
	keeper  *keeper
	journal *journal
	gate    *gate
	bodies  *gate
	met     metrics
	// scratches are reused: a request needs much more memory than it leaves behind.
	scratches sync.Pool
}

// New opens the cache. It loads nothing: Run does.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	met, err := newMetrics()
	if err != nil {
		return nil, fmt.Errorf("inference metrics: %w", err)
	}
	l, err := NewLoader(cfg.LoaderConfig)
	if err != nil {
		return nil, err
	}
	return &Server{
		cfg: cfg, loader: l, keeper: newKeeper(cfg, l, met), journal: newJournal(cfg, met),
		gate: newGate(cfg.Concurrency, cfg.Queue, cfg.QueueWait), bodies: newGate(cfg.MaxInFlight, 1, 0), met: met,
	}, nil
}

// Run keeps the served table at the newest tags and hands prediction events over, until ctx ends. Stop the HTTP listener
// first: then Run waits for the answers under way, closes every model and hands over the last events, within Drain each.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	over := make(chan struct{})
	g.Go(func() error {
		defer close(over)
		return s.keeper.run(ctx)
	})
	g.Go(func() error {
		s.journal.run(over)
		return nil
	})
	return errors.Join(g.Wait(), s.loader.Close())
}

// Ready reports whether every tag is served, or refused.
func (s *Server) Ready() bool { return s.keeper.table.Load().ready() }

// Routes registers the data plane.
func (s *Server) Routes(rt *httpapi.Router) {
	rt.Handle("POST /v1/predict/{model}/{tag}", auth.Predict, s.predictTag)
	rt.Handle("POST /v1/predict/{model}/packages/{id}", auth.Predict, s.predictPackage)
	rt.Handle("GET /v1/models", auth.Predict, s.models)
	rt.Handle("GET /v2", auth.Predict, s.protocolServer)
	rt.Handle("GET /v2/health/live", auth.Public, s.protocolLive)
	rt.Handle("GET /v2/health/ready", auth.Public, s.protocolReady)
	for _, path := range []string{"GET /v2/models/{model}", "GET /v2/models/{model}/versions/{tag}"} {
		rt.Handle(path, auth.Predict, s.protocolModel)
		rt.Handle(path+"/ready", auth.Predict, s.protocolModelReady)
	}
}
