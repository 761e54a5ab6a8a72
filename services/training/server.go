// Package training is Railyard's API: runs are requested, looked at, cancelled and repeated here, and their jobs report
// here. It keeps nothing: runs are the registry's, logs and figures are in the bucket.
package training

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// runs is what people ask about runs.
type runs interface {
	RequestRun(ctx context.Context, q registry.RunRequest) (run registry.Run, created bool, err error)
	RunByNonce(ctx context.Context, nonce string) (registry.Run, error)
	Run(ctx context.Context, id registry.RunID) (registry.Run, error)
	Runs(ctx context.Context, f registry.RunFilter) ([]registry.Run, error)
	CancelRun(ctx context.Context, id registry.RunID, reason string) (registry.Run, error)
	RepeatRun(ctx context.Context, id registry.RunID, nonce string) (run registry.Run, created bool, err error)
	sweeps
}

// reports is what jobs say of their runs.
type reports interface {
	ClaimRun(ctx context.Context, id registry.RunID, attempt int, executor string) (registry.Run, error)
	StartRun(ctx context.Context, id registry.RunID, attempt int, artifacts map[string]string) (registry.Run, error)
	SignArtifacts(ctx context.Context, id registry.RunID, attempt int, list []registry.Artifact) ([]registry.SignedArtifact, error)
	CompleteRun(ctx context.Context, id registry.RunID, attempt int, pkg cas.Digest, artifacts map[string]string) (registry.Run, error)
	RetryRun(ctx context.Context, id registry.RunID, attempt int, class, reason string) (registry.Run, error)
	FailRun(ctx context.Context, id registry.RunID, attempt int, e events.Exception, artifacts map[string]string) (registry.Run, error)
}

// declared is what a request may name.
type declared interface {
	FindWorkflow(ctx context.Context, name string) (registry.Spec, spec.Workflow, error)
	Datasets(ctx context.Context, f registry.DatasetFilter) ([]registry.Dataset, error)
	DatasetManifest(ctx context.Context, id cas.Digest) (manifest.Dataset, error)
}

// Config of a Server.
type Config struct {
	Runs     runs          // required; a *registry.Registry
	Reports  reports       // required; a *registry.Registry
	Declared declared      // required; a *registry.Registry
	Bucket   bucket.Bucket // required: logs, figures, and the files that paths name
	// BucketName is the name of Bucket in s3:// addresses; required.
	BucketName string
	// ComputeClasses are the values of compute_resource; none means CPU, GPU and HIGH_MEMORY.
	ComputeClasses []string
	// MaxAttempts bounds the attempts of a run that fails for reasons that may pass; 0 means 3.
	MaxAttempts int
	// MaxLog and MaxSeries bound what an attempt may send of its log and of its figures, in bytes; 0 means 64 MiB and 16 MiB.
	MaxLog    int64
	MaxSeries int64
	// Poll is the time between two looks at a log that is followed; 0 means 500ms.
	Poll time.Duration
}

func (c Config) withDefaults() Config {
	c.MaxAttempts = cmp.Or(c.MaxAttempts, 3)
	c.MaxLog = cmp.Or(c.MaxLog, 64<<20)
	c.MaxSeries = cmp.Or(c.MaxSeries, 16<<20)
	c.Poll = cmp.Or(c.Poll, 500*time.Millisecond)
	if len(c.ComputeClasses) == 0 {
		c.ComputeClasses = []string{"CPU", "GPU", "HIGH_MEMORY"}
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Runs == nil || c.Reports == nil || c.Declared == nil {
		errs = append(errs, errors.New("runs, reports or declared is missing"))
	}
	if c.Bucket == nil || c.BucketName == "" {
		errs = append(errs, errors.New("bucket or its name is missing"))
	}
	if c.MaxAttempts < 0 || c.MaxLog < 0 || c.MaxSeries < 0 || c.Poll < 0 {
		errs = append(errs, errors.New("max attempts, max log, max series or poll is negative"))
	}
	return errors.Join(errs...)
}

// Server answers for runs.
type Server struct {
	cfg   Config
	tally tally
}

// New returns a Server.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("training config: %w", err)
	}
	return &Server{cfg: cfg}, nil
}

// Routes registers the API.
func (s *Server) Routes(rt *httpapi.Router) {
	rt.Handle("POST /train", auth.RunsCreate, s.train)
	rt.Handle("GET /job/{id}/status", auth.RunsRead, s.jobStatus)
	rt.Handle("GET /job/{id}/result", auth.RunsRead, s.jobResult)
	rt.Handle("GET /v1/runs", auth.RunsRead, s.list)
	rt.Handle("GET /v1/runs/{id}", auth.RunsRead, s.get)
	rt.Handle("GET /v1/runs/{id}/logs", auth.RunsRead, s.logs)
	rt.Handle("GET /v1/runs/{id}/metrics", auth.RunsRead, s.metrics)
	rt.Handle("POST /v1/runs/{id}/artifacts", auth.RunsReport, s.artifacts)
	rt.Handle("PUT /v1/runs/{id}/attempts/{attempt}/log/{chunk}", auth.RunsReport, s.putLog)
	rt.Handle("PUT /v1/runs/{id}/attempts/{attempt}/series/{chunk}", auth.RunsReport, s.putSeries)
	s.sweepRoutes(rt)
	// A pattern cannot tell {id}:cancel from {id}:complete, so the route asks for what all of their callers have, and
	// call asks for the rest.
	rt.Handle("POST /v1/runs/{call}", auth.RegistryRead, s.call)
}

// call dispatches POST /v1/runs/{id}:{verb}.
func (s *Server) call(w http.ResponseWriter, r *http.Request) error {
	text, verb, _ := strings.Cut(r.PathValue("call"), ":")
	verbs := map[string]struct {
		needs auth.Permission
		do    func(http.ResponseWriter, *http.Request, registry.RunID) error
	}{
		"cancel":   {auth.RunsCreate, s.cancel},
		"retry":    {auth.RunsCreate, s.retry},
		"start":    {auth.RunsReport, s.start},
		"join":     {auth.RunsReport, s.join},
		"progress": {auth.RunsReport, s.progress},
		"complete": {auth.RunsReport, s.complete},
		"fail":     {auth.RunsReport, s.fail},
	}
	v, ok := verbs[verb]
	if !ok {
		return httpapi.Fault(http.StatusNotFound, "no_route", "there is nothing at this path")
	}
	if !auth.PrincipalFrom(r.Context()).Can(v.needs) {
		return httpapi.Faultf(http.StatusForbidden, "forbidden", "this needs the permission %s", v.needs)
	}
	id, err := parseRun(text)
	if err != nil {
		return err
	}
	return v.do(w, r, id)
}

func runOf(r *http.Request) (registry.RunID, error) { return parseRun(r.PathValue("id")) }

func parseRun(text string) (registry.RunID, error) {
	id, err := registry.ParseRunID(text)
	if err != nil {
		return registry.RunID{}, httpapi.BadRunID()
	}
	return id, nil
}

// refuse makes a 422 of everything that is wrong, and a 409 of a change that came too late. Other errors stay as they
// are.
func refuse(err error) error {
	if errors.Is(err, registry.ErrRunMoved) {
		return httpapi.Fault(http.StatusConflict, "fenced", "the run has moved on: it has ended, or another attempt or executor has taken over")
	}
	if !errors.Is(err, registry.ErrInvalid) {
		return err
	}
	return httpapi.Invalid(err)
}
