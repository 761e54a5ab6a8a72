package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// ErrInvalid reports a request or document that breaks the rules. The text says where and is safe to show.
var ErrInvalid = manifest.ErrInvalid

// Config says what a Registry works on.
type Config struct {
	Catalog Catalog       // required
	Store   *cas.Store    // required
	Signer  bucket.Signer // hands out requests for the bucket of Store; required
	// Source is the CloudEvents source of every event; "" means "/signalbox".
	Source string
	// Lease keeps blobs from collection while their publisher uploads; 0 means 24h.
	Lease time.Duration
	// SignFor is how long a signed request is good for; 0 means 1h.
	SignFor time.Duration
	// Judge has the last word on a document that passed spec.Check, with what only others can say: whether a JSON Schema
	// or an SQL expression compiles. body is what spec.Decode returns. Its error is shown. nil has no objections.
	Judge func(d spec.Document, body any) error
	// Log tells what somebody should know who runs the registry. nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Source = cmp.Or(c.Source, "/signalbox")
	c.Lease = cmp.Or(c.Lease, 24*time.Hour)
	c.SignFor = cmp.Or(c.SignFor, time.Hour)
	if c.Judge == nil {
		c.Judge = func(spec.Document, any) error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Catalog == nil {
		errs = append(errs, errors.New("catalog is missing"))
	}
	if c.Store == nil {
		errs = append(errs, errors.New("store is missing"))
	}
	if c.Signer == nil {
		errs = append(errs, errors.New("signer is missing"))
	}
	if c.Lease < 0 || c.SignFor < 0 {
		errs = append(errs, errors.New("lease or sign for is negative"))
	}
	return errors.Join(errs...)
}

// Registry is every verb on runs, packages, datasets, tags and specs. It is safe for concurrent use and holds no state:
// any number of processes may work on one catalog and bucket.
type Registry struct {
	catalog Catalog
	store   *cas.Store
	cfg     Config
	log     *slog.Logger
}

// New returns a registry.
func New(cfg Config) (*Registry, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("registry config: %w", err)
	}
	return &Registry{catalog: cfg.Catalog, store: cfg.Store, cfg: cfg, log: cfg.Log}, nil
}

// event makes an event of now. Its id is derived from what happened, so that a mutation that is repeated after an unknown
// outcome writes the same event.
func (r *Registry) event(ctx context.Context, typ, subject, id string, at time.Time, data any) (events.Event, error) {
	ev, err := events.New(typ, r.cfg.Source, subject, id, at, data)
	if err != nil {
		return events.Event{}, err
	}
	events.WithTrace(ctx, &ev)
	return ev, nil
}

// now is the time of a mutation, in UTC and as exact as databases keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func invalid(path, format string, args ...any) error {
	return &manifest.Fault{Path: path, Problem: fmt.Sprintf(format, args...)}
}
