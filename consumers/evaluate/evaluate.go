package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"

	"go.opentelemetry.io/otel/trace"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// maxArtifact bounds what is read of a run's artifacts, bytes.
const maxArtifact = 512 << 20

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
	Spec(ctx context.Context, kind, name string) (registry.Spec, error)
}

// recorder is what this package changes.
type recorder interface {
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
type Evaluator struct{ cfg Config }

// New returns an Evaluator.
func New(cfg Config) (*Evaluator, error) {
	if cfg.Catalog == nil || cfg.Registry == nil || cfg.Bucket == nil || cfg.Scorer == nil {
		return nil, errors.New("evaluate: Catalog, Registry, Bucket and Scorer are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Evaluator{cfg: cfg}, nil
}

// Handle implements events.Handler.
func (v *Evaluator) Handle(ctx context.Context, ev events.Event) error {
	var data events.PackagePublished
	if err := ev.DataAs(&data); err != nil {
		return events.Permanent("malformed", err)
	}
	if data.RunID == "" {
		return nil // pushed by hand: there is no holdout to judge it by
	}
	subject, err := v.subject(ctx, data)
	if err != nil {
		return err
	}
	for range maxRaces {
		err = v.judge(ctx, subject)
		if !errors.Is(err, registry.ErrTagMoved) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("evaluate %s: %w", subject.pkg, err)
	}
	return nil
}

// subject is everything about a candidate that does not depend on the champion.
type subject struct {
	pkg     cas.Digest
	run     registry.Run
	tag     registry.Tag
	policy  spec.Evaluation
	holdout Holdout
	scores  []float64 // by the serving engine
	faults  []string
}

func (v *Evaluator) subject(ctx context.Context, data events.PackagePublished) (subject, error) {
	var s subject
	id, err := registry.ParseRunID(data.RunID)
	if err != nil {
		return s, events.Permanent("malformed", err)
	}
	if s.pkg, err = cas.Parse(data.Package); err != nil {
		return s, events.Permanent("malformed", err)
	}
	if s.run, err = v.cfg.Catalog.Run(ctx, id); err != nil {
		return s, v.absent("unknown_run", err)
	}
	stored, err := v.cfg.Catalog.Spec(ctx, spec.KindModel, string(s.run.Model))
	if err != nil {
		return s, v.absent("unknown_model", err)
	}
	var model spec.Model
	if err := json.Unmarshal(stored.Body, &model); err != nil {
		return s, events.Permanent("malformed", fmt.Errorf("spec of model %s: %w", s.run.Model, err))
	}
	s.policy = model.Evaluation
	s.tag = registry.Tag{Model: s.run.Model, Name: s.policy.Tag}
	if s.holdout, err = v.holdout(ctx, s.run); err != nil {
		return s, err
	}
	scores, tolerance, err := v.cfg.Scorer.Score(ctx, s.pkg, s.holdout.Rows, s.policy.Output)
	if errors.Is(err, ErrUnscorable) {
		return s, events.Permanent("unscorable", err)
	}
	if err != nil {
		return s, fmt.Errorf("score candidate %s: %w", s.pkg, err)
	}
	s.scores = scores
	if worst := difference(scores, s.holdout.Scores); worst > tolerance {
		s.faults = append(s.faults, fmt.Sprintf("the serving engine differs from the training process by %g, allowed is %g", worst, tolerance))
	}
	return s, nil
}

// absent turns a missing object into a dead letter: the run of an event exists before the event does.
func (v *Evaluator) absent(reason string, err error) error {
	if errors.Is(err, registry.ErrNotFound) {
		return events.Permanent(reason, err)
	}
	return err
}

func (v *Evaluator) holdout(ctx context.Context, run registry.Run) (Holdout, error) {
	files := map[string][]byte{}
	for _, name := range []string{holdoutFile, labelsFile, scoresFile} {
		key := run.Artifacts[name]
		if key == "" {
			return Holdout{}, events.Permanent("no_holdout", fmt.Errorf("run %s left no %s", run.ID, name))
		}
		b, err := v.read(ctx, key)
		if err != nil {
			return Holdout{}, err
		}
		files[name] = b
	}
	h, err := parseHoldout(files[holdoutFile], files[labelsFile], files[scoresFile])
	if err != nil {
		return Holdout{}, events.Permanent("bad_holdout", err)
	}
	return h, nil
}

func (v *Evaluator) read(ctx context.Context, key string) ([]byte, error) {
	r, attrs, err := v.cfg.Bucket.Get(ctx, key, bucket.Range{})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	defer r.Close()
	if attrs.Size > maxArtifact {
		return nil, events.Permanent("too_large", fmt.Errorf("%s has %d bytes, at most %d are read", key, attrs.Size, maxArtifact))
	}
	b, err := io.ReadAll(io.LimitReader(r, maxArtifact))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return b, nil
}

// judge compares with the champion of this moment, records and promotes.
func (v *Evaluator) judge(ctx context.Context, s subject) error {
	state, err := v.cfg.Catalog.Tag(ctx, s.tag)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return fmt.Errorf("read tag %s: %w", s.tag, err)
	}
	if championOf(state) == s.pkg {
		return nil // a repeat, or a run that reproduced the champion: there is nothing to decide
	}
	record, err := v.compare(ctx, s, state)
	if err != nil {
		return err
	}
	id, err := v.cfg.Registry.RecordEvaluation(ctx, record)
	if err != nil {
		return fmt.Errorf("record evaluation: %w", err)
	}
	log := v.cfg.Log.With("package", s.pkg, "run_id", s.run.ID, "tag", s.tag, "evaluation", id)
	if record.Decision != Promote {
		log.InfoContext(ctx, "package kept back", "reasons", record.Reasons)
		return nil
	}
	moved, err := v.cfg.Registry.Promote(ctx, registry.TagMove{
		Tag: s.tag, Expect: state.Generation, Arms: []registry.Arm{{Package: s.pkg, Weight: 10000}},
		Actor: "evaluate", Reason: record.Reasons[0], Evidence: id, Op: "evaluation:" + id.String(),
	})
	if err != nil {
		return fmt.Errorf("promote %s: %w", s.tag, err)
	}
	trace.SpanFromContext(ctx).AddEvent("promoted")
	log.InfoContext(ctx, "package promoted", "generation", moved.Generation, "reasons", record.Reasons)
	return nil
}

func (v *Evaluator) compare(ctx context.Context, s subject, state registry.TagState) (manifest.Evaluation, error) {
	scores := map[string][]float64{Candidate: s.scores}
	facts := Facts{Rows: int64(len(s.holdout.Rows)), Faults: s.faults}
	champion := championOf(state)
	if !champion.IsZero() {
		got, _, err := v.cfg.Scorer.Score(ctx, champion, s.holdout.Rows, s.policy.Output)
		switch {
		case err != nil && !errors.Is(err, ErrUnscorable):
			return manifest.Evaluation{}, fmt.Errorf("score champion %s: %w", champion, err)
		case err != nil:
			v.cfg.Log.WarnContext(ctx, "champion cannot be scored on the new holdout", "package", champion, "error", err)
		default:
			scores[Champion], facts.HasChampion = got, true
		}
	}
	if s.policy.Baseline != "" {
		base, err := baseline(s.holdout, s.policy.Baseline)
		if err != nil {
			return manifest.Evaluation{}, events.Permanent("bad_holdout", err)
		}
		scores[Baseline] = base
	}
	all := make([]int, len(s.holdout.Rows))
	for i := range all {
		all[i] = i
	}
	facts.Metrics = figures(s.holdout, scores, all)
	parts, err := sliceBy(s.holdout, s.policy.Slices, scores)
	if err != nil {
		return manifest.Evaluation{}, events.Permanent("bad_holdout", err)
	}
	decision, reasons := Decide(s.policy, facts)
	return manifest.Evaluation{
		Model: string(s.run.Model), Package: s.pkg, RunID: s.run.ID.String(), Dataset: s.run.Dataset, Tag: s.tag.String(),
		Champion: champion, Generation: state.Generation, Holdout: s.holdout.Digest, Rows: facts.Rows,
		Metrics: facts.Metrics, Slices: parts, Policy: s.policy, Decision: decision, Reasons: reasons,
	}, nil
}

// championOf returns the package with the largest share of a tag.
func championOf(s registry.TagState) cas.Digest {
	var best registry.Arm
	for _, a := range s.Arms {
		if a.Weight > best.Weight {
			best = a
		}
	}
	return best.Package
}

// difference returns the largest distance between two score columns; columns of different length differ without limit.
func difference(a, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(a[i] - b[i])
		if math.IsNaN(d) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return math.Inf(1)
		}
		worst = max(worst, d)
	}
	return worst
}
