// Package registryapi is the registry's API: packages and their blobs, tags, specs and datasets, what the archive has,
// and the way back from a prediction to the log. It keeps nothing: every answer is the registry's or the ledger's.
package registryapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// Topics makes the topics of streams. Those that exist are left as they are.
type Topics interface {
	EnsureTopics(ctx context.Context, specs []events.TopicSpec) error
}

// positions says what is archived.
type positions interface {
	Partitions(ctx context.Context, topic string) ([]ledger.PartitionState, error)
	Files(ctx context.Context, q ledger.FileQuery) ([]ledger.LedgerFile, error)
}

// objects reads archive files.
type objects interface {
	Get(ctx context.Context, key string, r bucket.Range) (io.ReadCloser, bucket.Attrs, error)
}

// Config of a Server.
type Config struct {
	Registry *registry.Registry // required
	Ledger   positions          // required; a ledger.Ledger
	Bucket   objects            // required; the bucket that the archive writes to
	Topics   Topics             // required; a *kafka.Admin
	// SearchFiles and SearchBytes bound what one search for a prediction reads of the archive; 0 means 200 files and
	// 1 GiB.
	SearchFiles int
	SearchBytes int64
	// Searches is how many searches run at once, each with one archive file in memory; 0 means 2. Others wait.
	Searches int
	// Log tells of archive files that cannot be read. nil discards.
	Log *slog.Logger
}

func (c Config) withDefaults() Config {
	c.SearchFiles = cmp.Or(c.SearchFiles, 200)
	c.SearchBytes = cmp.Or(c.SearchBytes, 1<<30)
	c.Searches = cmp.Or(c.Searches, 2)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	if c.Registry == nil {
		errs = append(errs, errors.New("registry is missing"))
	}
	if c.Ledger == nil || c.Bucket == nil {
		errs = append(errs, errors.New("ledger or bucket is missing"))
	}
	if c.Topics == nil {
		errs = append(errs, errors.New("topics is missing"))
	}
	if c.SearchFiles < 0 || c.SearchBytes < 0 || c.Searches < 0 {
		errs = append(errs, errors.New("search files, search bytes or searches is negative"))
	}
	return errors.Join(errs...)
}

// Server answers for the registry.
type Server struct {
	cfg   Config
	reg   *registry.Registry
	turns chan struct{} // holds a token for every search under way
}

// New returns a Server.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("registryapi config: %w", err)
	}
	return &Server{cfg: cfg, reg: cfg.Registry, turns: make(chan struct{}, cfg.Searches)}, nil
}

// Routes registers the API.
func (s *Server) Routes(rt *httpapi.Router) {
	rt.Handle("POST /v1/blobs:missing", auth.PackagesPush, s.missingBlobs)
	rt.Handle("PUT /v1/packages/{id}", auth.PackagesPush, s.publish)
	rt.Handle("GET /v1/packages", auth.RegistryRead, s.packages)
	rt.Handle("GET /v1/packages/{id}", auth.RegistryRead, s.manifest)
	rt.Handle("GET /v1/packages/{id}/files", auth.RegistryRead, s.files)
	rt.Handle("GET /v1/packages/{id}/attestations", auth.RegistryRead, s.attestations)
	rt.Handle("GET /v1/packages/{id}/lineage", auth.RegistryRead, s.lineage)

	rt.Handle("GET /v1/tags", auth.RegistryRead, s.tags)
	rt.Handle("GET /v1/tags/{model}/{tag}", auth.RegistryRead, s.tag)
	rt.Handle("GET /v1/tags/{model}/{tag}/history", auth.RegistryRead, s.history)
	rt.Handle("PUT /v1/tags/{model}/{tag}", auth.TagsPromote, s.moveTag)
	// A pattern cannot say {tag}:rollback; its handler tells the verb from the name.
	rt.Handle("POST /v1/tags/{model}/{call}", auth.TagsPromote, s.rollback)

	rt.Handle("POST /v1/specs", auth.SpecsApply, s.apply)
	rt.Handle("GET /v1/specs", auth.RegistryRead, s.specs)
	rt.Handle("GET /v1/specs/{kind}/{name}", auth.RegistryRead, s.spec)

	rt.Handle("GET /v1/datasets", auth.RegistryRead, s.datasets)
	rt.Handle("GET /v1/datasets/{digest}", auth.RegistryRead, s.dataset)
	rt.Handle("GET /v1/archive", auth.ArchiveRead, s.archive)
	rt.Handle("GET /v1/predictions/{id}/lineage", auth.ArchiveRead, s.prediction)
}
