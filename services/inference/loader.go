package inference

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// ErrRefused reports a package that must not be served: corrupt, unknown to every engine, unable to reproduce its golden
// rows, or absent. Any other fault of a load may pass by itself.
var ErrRefused = errors.New("package refused")

// Loader turns digests into models that are ready to answer. It loads one at a time: loading costs processors and memory
// that the models that serve need, too.
type Loader struct {
	cfg   LoaderConfig
	cache *cache
	turn  chan struct{} // holds a token while somebody loads
	// recent are the packages that were scored last, newest first; whoever has the turn may touch them.
	recent []cas.Digest
}

// NewLoader opens the cache.
func NewLoader(cfg LoaderConfig) (*Loader, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c, err := openCache(cfg)
	if err != nil {
		return nil, err
	}
	return &Loader{cfg: cfg, cache: c, turn: make(chan struct{}, 1)}, nil
}

// Close closes the cache. Models that were loaded go on.
func (l *Loader) Close() error { return l.cache.root.Close() }

// begin waits for the turn to load or to prune.
func (l *Loader) begin(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Loader) end() { <-l.turn }

// load fetches, verifies, loads and checks a package. The caller has the turn. Refusals are ErrRefused.
func (l *Loader) load(ctx context.Context, id cas.Digest) (*resident, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.LoadTimeout)
	defer cancel()
	begin := time.Now()
	r, err := l.try(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", id, refused(err))
	}
	l.cfg.Log.InfoContext(ctx, "package loaded", "package", id, "runtime", r.sig.Runtime, "format", r.sig.Format, "took", time.Since(begin))
	return r, nil
}

func (l *Loader) try(ctx context.Context, id cas.Digest) (*resident, error) {
	p, err := l.cache.get(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(filepath.Join(p.dir, manifest.SignatureFile))
	if err != nil {
		return nil, err
	}
	r := &resident{id: id, about: p.about, idle: make(chan struct{}), loaded: time.Now()}
	r.refs.Store(1)
	r.logInputs.Store(p.Policy.LogInputs)
	if r.sig, err = manifest.DecodeSignature(b); err != nil {
		return nil, err
	}
	if err := r.sig.CheckFiles(p.manifest); err != nil {
		return nil, err
	}
	if r.inputs, err = runtime.NewColumns(r.sig.Inputs); err != nil {
		return nil, err
	}
	r.outputs = outputsOf(r.sig.Outputs)
	engine, ok := l.cfg.Runtimes[r.sig.Runtime]
	if !ok {
		return nil, fmt.Errorf("this server has no runtime %q: %w", r.sig.Runtime, ErrRefused)
	}
	if r.model, err = engine.Load(ctx, p.dir, r.sig); err != nil {
		return nil, faultOfPackage(ctx, err)
	}
	if err := l.check(ctx, p.dir, r); err != nil {
		return nil, errors.Join(faultOfPackage(ctx, err), r.model.Close())
	}
	return r, nil
}

// check wants the model to answer its golden rows, which warms it up as well.
func (l *Loader) check(ctx context.Context, dir string, r *resident) error {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(r.sig.Golden)))
	if err != nil {
		return err
	}
	defer f.Close()
	return runtime.CheckGolden(ctx, r.model, r.sig, f)
}

// faultOfPackage marks what an engine says of a package as its fault, unless time was up or the engine is busy.
func faultOfPackage(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, runtime.ErrOverloaded) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// refused marks errors that no retry of the same bytes can mend as ErrRefused.
func refused(err error) error {
	for _, final := range []error{cas.ErrCorrupt, manifest.ErrInvalid, runtime.ErrSchema, registry.ErrNotFound} {
		if errors.Is(err, final) && !errors.Is(err, ErrRefused) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return err
}

// prune removes packages from the cache that are not in keep. The caller has the turn.
func (l *Loader) prune(keep map[cas.Digest]bool) {
	if err := l.cache.prune(keep); err != nil {
		l.cfg.Log.Warn("cache not pruned", "error", err)
	}
}
