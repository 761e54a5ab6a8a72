package evaluate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// maxRaces bounds how often a tag that moves meanwhile makes us start again before the event is tried later.
const maxRaces = 5

// ErrUnscorable marks a package that can never be scored on these rows: corrupt, unknown to the engine, or made for other
// inputs. Every other error of a Scorer is tried again.
var ErrUnscorable = errors.New("package cannot be scored")

// Scorer computes a package's output for rows of JSON, with the engine that would serve it. output "" is the first.
type Scorer interface {
	Score(ctx context.Context, pkg cas.Digest, rows [][]byte, output string) (scores []float64, tolerance float64, err error)
}

// catalog is what this package reads.
type catalog interface {
	Run(ctx context.Context, id registry.RunID) (registry.Run, error)
	Tag(ctx context.Context, t registry.Tag) (registry.TagState, error)
	// TagHistory returns every generation of a tag: registry.ErrNotFound where there is no tag.
	TagHistory(ctx context.Context, t registry.Tag) ([]registry.TagState, error)
	Spec(ctx context.Context, kind, name string) (registry.Spec, error)
}

// recorder is what this package changes, and what it finds of its own earlier work.
type recorder interface {
	// Evaluations returns every evaluation of a package, oldest first.
	Evaluations(ctx context.Context, pkg cas.Digest) ([]registry.RecordedEvaluation, error)
	// RecordEvaluation stores an evaluation and says that it is completed; a repeat changes nothing.
	RecordEvaluation(ctx context.Context, e manifest.Evaluation) (cas.Digest, error)
	// Promote moves a tag: registry.ErrTagMoved where it is not at the expected generation.
	Promote(ctx context.Context, m registry.TagMove) (registry.TagState, error)
}

// Config of an Evaluator. Everything but Log is required.
type Config struct {
	Catalog  catalog
	Registry recorder
	Bucket   bucket.Bucket
	Scorer   Scorer
	Log      *slog.Logger
}

// Evaluator handles package.published.
type Evaluator struct {
	cfg       Config
	decisions metric.Int64Counter
}

// New returns an Evaluator.
func New(cfg Config) (*Evaluator, error) {
	if cfg.Catalog == nil || cfg.Registry == nil || cfg.Bucket == nil || cfg.Scorer == nil {
		return nil, errors.New("evaluate: Catalog, Registry, Bucket and Scorer are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	decisions, err := otel.Meter("github.com/signalbox-ml/signalbox/consumers/evaluate").Int64Counter("signalbox.evaluate.decisions",
		metric.WithDescription("Packages that were judged, by model and decision."))
	if err != nil {
		return nil, fmt.Errorf("evaluate metrics: %w", err)
	}
	return &Evaluator{cfg: cfg, decisions: decisions}, nil
}

// Handle implements events.Handler. A run's package is decided once: once it was kept or promoted, a later delivery changes
// nothing, whatever people have done with the tag since.
func (v *Evaluator) Handle(ctx context.Context, ev events.Event) error {
	var data events.PackagePublished
	if err := ev.DataAs(&data); err != nil {
		return events.Permanent("malformed", err)
	}
	if data.RunID == "" {
		return nil // pushed by hand: there is no holdout to judge it by
	}
	c, err := v.candidate(ctx, data)
	if err != nil || c == nil {
		return err
	}
	for range maxRaces {
		err = v.decide(ctx, c)
		if !errors.Is(err, registry.ErrTagMoved) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", c.pkg, err)
	}
	return nil
}
