package generate

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// ErrNoRows reports a window without a single labelled row: there is no dataset to register.
var ErrNoRows = errors.New("no row with a label")

// errStored reports a part that is stored already with other bytes. Repeated builds give the same bytes.
var errStored = errors.New("stored already with other bytes: was it built by another version? Delete the object, or raise compile.Version")

// fetches at a time.
const fetches = 4

// Build is one dataset that was built.
type Build struct {
	Manifest manifest.Dataset
	Checks   Checks
	// Dataset is what was registered; zero where nothing was published.
	Dataset registry.Dataset
}

// job is a window of a spec to build.
type job struct {
	spec      registry.Spec
	d         spec.Dataset
	w         compile.Window
	files     snapshot
	watermark time.Time
}

// run builds a window and, unless publish is nil, stores and publishes it. ErrNoRows comes with the checks filled in.
func (g *Generator) run(ctx context.Context, j job, publish Publisher) (Build, error) {
	select {
	case g.building <- struct{}{}: // the engine's memory is for one build
		defer func() { <-g.building }()
	case <-ctx.Done():
		return Build{}, context.Cause(ctx)
	}
	sources := j.files.sources()
	plan, err := planDigest(j.spec, j.w, sources)
	if err != nil {
		return Build{}, err
	}
	dir, err := os.MkdirTemp(g.cfg.CacheDir, "build-*")
	if err != nil {
		return Build{}, fmt.Errorf("make a folder for the build: %w", err)
	}
	defer os.RemoveAll(dir)
	res, err := g.execute(ctx, j, dir)
	b := Build{Checks: res.Checks}
	if err != nil {
		return b, err
	}
	if res.Checks.Rows == 0 {
		return b, ErrNoRows
	}
	b.Manifest = manifest.Dataset{
		Name: j.spec.Name, Plan: plan, Spec: j.spec.Digest, Compiler: compile.Version, Start: j.w.Start, End: j.w.End,
		// Of the watermark only what the window needed: a repeat must give the same manifest.
		Watermark: earlier(j.watermark, compile.Horizon(j.d, j.w)),
		Rows:      res.Checks.Rows, Columns: res.Columns, Label: compile.LabelColumn(j.d), Sources: sources,
	}
	for _, p := range res.Parts {
		part, err := g.store(ctx, filepath.Join(dir, "out", p.Name), j.spec.Name, plan, p, publish != nil)
		if err != nil {
			return b, fmt.Errorf("store %s: %w", p.Name, err)
		}
		b.Manifest.Parts = append(b.Manifest.Parts, part)
	}
	if publish != nil {
		b.Dataset, _, err = publish(ctx, b.Manifest)
	}
	return b, err
}

// execute fetches the inputs and runs the engine.
func (g *Generator) execute(ctx context.Context, j job, dir string) (Result, error) {
	in := compile.Inputs{}
	group, fetching := errgroup.WithContext(ctx)
	group.SetLimit(fetches)
	for name, files := range j.files {
		paths := make([]string, len(files))
		in[name] = paths
		for i, f := range files {
			group.Go(func() (err error) {
				paths[i], err = g.cache.hold(fetching, f.File)
				return err
			})
		}
	}
	err := group.Wait()
	defer func() {
		for name, files := range j.files {
			for i, f := range files {
				if in[name][i] != "" {
					g.cache.release(f.Digest)
				}
			}
		}
	}()
	if err != nil {
		return Result{}, err
	}
	plan, err := compile.Compile(j.d, in, j.w)
	if err != nil {
		return Result{}, err
	}
	r := Request{Plan: plan, Dir: filepath.Join(dir, "out"), Temp: filepath.Join(dir, "temp"), Memory: g.cfg.Memory, Threads: g.cfg.Threads}
	if err := errors.Join(os.Mkdir(r.Dir, 0o700), os.Mkdir(r.Temp, 0o700)); err != nil {
		return Result{}, fmt.Errorf("make a folder for the build: %w", err)
	}
	return g.cfg.Engine.Build(ctx, r)
}

// store describes a part and, where upload is set, puts it into the bucket.
func (g *Generator) store(ctx context.Context, path, name string, plan cas.Digest, p Part, upload bool) (manifest.Part, error) {
	file, err := os.Open(path)
	if err != nil {
		return manifest.Part{}, err
	}
	defer file.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, file)
	if err != nil {
		return manifest.Part{}, err
	}
	part := manifest.Part{
		Key:    fmt.Sprintf("datasets/%s/%s/%s", name, plan, p.Name),
		Digest: cas.Digest(sum.Sum(nil)), Bytes: size, Rows: p.Rows,
	}
	if !upload {
		return part, nil
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return manifest.Part{}, err
	}
	_, err = g.cfg.Bucket.Put(ctx, part.Key, file, size, bucket.PutOptions{
		CreateOnly: true, SHA256: part.Digest, ContentType: "application/vnd.apache.parquet",
	})
	if errors.Is(err, bucket.ErrExists) {
		err = g.same(ctx, part)
	}
	return part, err
}

// same returns nil if the stored part has the bytes of this one.
func (g *Generator) same(ctx context.Context, part manifest.Part) error {
	body, attrs, err := g.cfg.Bucket.Get(ctx, part.Key, bucket.Range{})
	if err != nil {
		return err
	}
	defer body.Close()
	have := cas.Digest(attrs.SHA256)
	if have.IsZero() {
		sum := sha256.New()
		if _, err := io.Copy(sum, body); err != nil {
			return err
		}
		have = cas.Digest(sum.Sum(nil))
	}
	if have != part.Digest {
		return fmt.Errorf("%s: %w", part.Key, errStored)
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a.UTC()
	}
	return b.UTC()
}
