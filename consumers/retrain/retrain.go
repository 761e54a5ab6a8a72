package retrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// Registry is what the handler needs of package registry.
type Registry interface {
	Specs(ctx context.Context, kind string) ([]registry.Spec, error)
	RequestRun(ctx context.Context, q registry.RunRequest) (run registry.Run, created bool, err error)
}

// Config says what a Handler works with.
type Config struct {
	Registry Registry // required
	// Log tells which runs were asked for. nil discards.
	Log *slog.Logger
}

// Handler is the events.Handler of dataset.ready.
type Handler struct {
	registry Registry
	log      *slog.Logger
}

// New returns a handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Registry == nil {
		return nil, errors.New("retrain config: registry is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Handler{registry: cfg.Registry, log: cfg.Log}, nil
}

// Handle requests a run for every model on the dataset that ev announces. Other types of events are none of its business.
func (h *Handler) Handle(ctx context.Context, ev events.Event) error {
	if ev.Type() != events.TypeDatasetReady {
		return nil
	}
	var ready events.DatasetReady
	if err := ev.DataAs(&ready); err != nil {
		return events.Permanent("malformed", fmt.Errorf("retrain: %w", err))
	}
	dataset, err := cas.Parse(ready.Dataset)
	if err = errors.Join(err, registry.CheckName(ready.Name)); err != nil {
		return events.Permanent("malformed", fmt.Errorf("retrain: %w", err))
	}
	specs, err := h.registry.Specs(ctx, spec.KindModel)
	if err != nil {
		return fmt.Errorf("retrain on %s: %w", ready.Name, err)
	}
	var hopeless, again []error
	for _, s := range specs {
		err := h.model(ctx, s, ready.Name, dataset)
		switch {
		case err == nil:
		case errors.Is(err, registry.ErrInvalid):
			hopeless = append(hopeless, fmt.Errorf("model %s: %w", s.Name, err))
		default:
			again = append(again, fmt.Errorf("model %s: %w", s.Name, err))
		}
	}
	if len(again) > 0 {
		// The hopeless ones will be so again; they must not make this event a dead letter yet.
		return fmt.Errorf("retrain on %s: %w", ready.Name, errors.Join(again...))
	}
	return events.Permanent("unrunnable_model", errors.Join(hopeless...))
}

func (h *Handler) model(ctx context.Context, s registry.Spec, name string, dataset cas.Digest) error {
	m, err := spec.Read[spec.Model](s.Body)
	if err != nil || m.Dataset != name {
		return err
	}
	q, err := Request(s.Name, m, dataset)
	if err != nil {
		return err
	}
	run, created, err := h.registry.RequestRun(ctx, registry.RunRequest{Request: q})
	if err != nil {
		return err
	}
	h.log.InfoContext(ctx, "run requested", "model", s.Name, "run_id", run.ID.String(), "dataset", dataset.String(), "created", created)
	return nil
}

// Request writes the training request of a declared model on one dataset. What the model says itself of data, its own
// features included, stays; the dataset comes first.
func Request(model string, m spec.Model, dataset cas.Digest) (json.RawMessage, error) {
	data := map[string]json.RawMessage{}
	if m.Data != nil {
		if err := json.Unmarshal(m.Data, &data); err != nil {
			return nil, fmt.Errorf("data: %v: %w", err, registry.ErrInvalid)
		}
	}
	source, err := json.Marshal(map[string]cas.Digest{"dataset": dataset})
	if err != nil {
		return nil, err
	}
	features := []json.RawMessage{source}
	if own, ok := data["features"]; ok {
		var more []json.RawMessage
		if err := json.Unmarshal(own, &more); err != nil {
			return nil, fmt.Errorf("data.features: %v: %w", err, registry.ErrInvalid)
		}
		features = append(features, more...)
	}
	if data["features"], err = json.Marshal(features); err != nil {
		return nil, err
	}
	body, err := json.Marshal(data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(registry.TrainRequest{
		Description: m.Description, ModelName: model, Owner: m.Owner, Project: m.Project, Trainer: m.Trainer,
		Data: body, Train: m.Train, ComputeResource: m.ComputeResource,
	})
}
