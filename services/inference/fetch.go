package inference

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// fetchers is how many files of a package are fetched at once.
const fetchers = 4

// fetch brings a package from the source: into a directory of its own first, which then takes the place of whatever
// stands under the package's name.
func (c *cache) fetch(ctx context.Context, id cas.Digest) error {
	b, err := c.src.Package(ctx, id)
	if err != nil {
		return fmt.Errorf("fetch manifest: %w", err)
	}
	if got := cas.Sum(b); got != id {
		return fmt.Errorf("fetch manifest: the bytes hash to %s: %w", got, cas.ErrCorrupt)
	}
	m, err := manifest.DecodePackage(b)
	if err != nil {
		return fmt.Errorf("fetch manifest: %w", err)
	}
	if m.Size() > c.max {
		return fmt.Errorf("package of %d bytes, at most %d are loaded: %w", m.Size(), c.max, ErrRefused)
	}
	files, err := c.src.PackageFiles(ctx, id)
	if err != nil {
		return fmt.Errorf("fetch list of files: %w", err)
	}
	temp := tempPrefix + id.String()
	if err := c.root.RemoveAll(temp); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := c.fetchFiles(ctx, temp, m, files); err != nil {
		return errors.Join(err, c.root.RemoveAll(temp))
	}
	if err := c.root.RemoveAll(id.String()); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := c.root.Rename(temp, id.String()); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := c.describe(id, about{Model: files.Model, Policy: files.Policy}); err != nil {
		return err
	}
	return c.write(id.String()+extManifest, b)
}

func (c *cache) fetchFiles(ctx context.Context, temp string, m manifest.Package, files remote.Files) error {
	at := make(map[string]registry.SignedFile, len(files.Files))
	for _, f := range files.Files {
		at[f.Path] = f
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetchers)
	for _, l := range m.Layers {
		f, ok := at[l.Path]
		if !ok {
			return errors.Join(fmt.Errorf("fetch %s: the source has no such file", l.Path), g.Wait())
		}
		g.Go(func() error {
			if err := c.fetchFile(ctx, temp+"/"+l.Path, l, f); err != nil {
				return fmt.Errorf("fetch %s (%s): %w", l.Path, l.Digest, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// fetchFile writes a file and wants its bytes to be those that the manifest promises.
func (c *cache) fetchFile(ctx context.Context, name string, l manifest.Layer, from registry.SignedFile) (err error) {
	name = filepath.FromSlash(name)
	if err := c.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	body, err := c.src.Fetch(ctx, from.Get)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := c.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(body, l.Size+1))
	if err != nil {
		return err
	}
	if n != l.Size || cas.Digest(h.Sum(nil)) != l.Digest {
		return fmt.Errorf("%d bytes that hash to %s, want %d: %w", n, cas.Digest(h.Sum(nil)), l.Size, cas.ErrCorrupt)
	}
	return f.Sync()
}
