package inference

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// What stands in the cache's directory: <id> has the files of a package, <id>.about what is known of it, and
// <id>.manifest its manifest, written last: without it the rest does not count.
const (
	extManifest = ".manifest"
	extAbout    = ".about"
	tempPrefix  = "tmp-"
)

// cache keeps packages on disk by digest. It hashes every byte that comes in, and again each time a package is used.
type cache struct {
	dir  string
	root *os.Root
	max  int64 // bytes of one package
	src  source
}

// about is what a package's bytes do not say.
type about struct {
	Model  registry.ModelName `json:"model"`
	Policy remote.Policy      `json:"policy"`
}

// cached is a package on disk, verified just now.
type cached struct {
	about
	dir      string
	manifest manifest.Package
}

func openCache(cfg LoaderConfig) (*cache, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	c := &cache{dir: dir, root: root, max: cfg.MaxPackage, src: cfg.Source}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cache: %w", err), root.Close())
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) { // left by a process that died
			if err := root.RemoveAll(e.Name()); err != nil {
				return nil, errors.Join(fmt.Errorf("cache: %w", err), root.Close())
			}
		}
	}
	return c, nil
}

// get returns the package, from disk where it is there whole, else from the source.
func (c *cache) get(ctx context.Context, id cas.Digest) (cached, error) {
	p, err := c.verify(id)
	if err == nil {
		return p, nil
	}
	if fetched := c.fetch(ctx, id); fetched != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			fetched = errors.Join(fetched, err) // what is wrong with the copy on disk
		}
		return cached{}, fetched
	}
	return c.verify(id)
}

// verify reads a package from disk and hashes all of it.
func (c *cache) verify(id cas.Digest) (cached, error) {
	b, err := c.root.ReadFile(id.String() + extManifest)
	if err != nil {
		return cached{}, err
	}
	if cas.Sum(b) != id {
		return cached{}, fmt.Errorf("cached manifest of %s: %w", id, cas.ErrCorrupt)
	}
	p := cached{dir: filepath.Join(c.dir, id.String())}
	if p.manifest, err = manifest.DecodePackage(b); err != nil {
		return cached{}, err
	}
	b, err = c.root.ReadFile(id.String() + extAbout)
	if err == nil {
		err = json.Unmarshal(b, &p.about)
	}
	if err != nil {
		return cached{}, fmt.Errorf("cached package %s: %w", id, err)
	}
	for _, l := range p.manifest.Layers {
		if err := c.verifyFile(id.String()+"/"+l.Path, l); err != nil {
			return cached{}, fmt.Errorf("cached package %s: %w", id, err)
		}
	}
	return p, nil
}

func (c *cache) verifyFile(name string, l manifest.Layer) error {
	f, err := c.root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return err
	}
	if n != l.Size || cas.Digest(h.Sum(nil)) != l.Digest {
		return fmt.Errorf("%s: %d bytes that hash to %s: %w", l.Path, n, cas.Digest(h.Sum(nil)), cas.ErrCorrupt)
	}
	return nil
}

// describe notes what is known of a package.
func (c *cache) describe(id cas.Digest, a about) error {
	b, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return c.write(id.String()+extAbout, b)
}

// write replaces a file at once, and for good.
func (c *cache) write(name string, b []byte) error {
	if err := c.writeTemp(tempPrefix+name, b); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := c.root.Rename(tempPrefix+name, name); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	d, err := c.root.Open(".")
	if err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return nil
}

func (c *cache) writeTemp(name string, b []byte) error {
	f, err := c.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// prune removes packages that are not in keep.
func (c *cache) prune(keep map[cas.Digest]bool) error {
	entries, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return fmt.Errorf("prune cache: %w", err)
	}
	var faults []error
	for _, e := range entries {
		name := strings.TrimSuffix(strings.TrimSuffix(e.Name(), extManifest), extAbout)
		id, err := cas.Parse(name)
		if err != nil || keep[id] {
			continue
		}
		faults = append(faults, c.root.RemoveAll(e.Name()))
	}
	return errors.Join(faults...)
}
