package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

// download fetches every file of a package, all or none. What the files are is said by the manifest, which hashes to the
// package's name; the object store only has to deliver.
func (s *session) download(ctx context.Context, c *remote.Client, id cas.Digest, args []string) error {
	dir := filepath.Clean(args[0])
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := c.Package(ctx, id)
	if err != nil {
		return err
	}
	m, err := manifest.DecodePackage(text)
	if err != nil {
		return err
	}
	signed, err := c.PackageFiles(ctx, id)
	if err != nil {
		return err
	}
	gets := map[string]bucket.Signed{}
	for _, f := range signed.Files {
		gets[f.Path] = f.Get
	}
	if err := fill(ctx, c, dir, m, gets); err != nil {
		return err
	}
	return s.print(map[string]any{"package": id, "dir": dir, "files": len(m.Layers), "bytes": m.Size()}, func(t *table) {
		t.row(fmt.Sprintf("%d files, %d bytes in %s", len(m.Layers), m.Size(), dir))
	})
}

// fill makes dir appear with everything in it.
func fill(ctx context.Context, c *remote.Client, dir string, m manifest.Package, gets map[string]bucket.Signed) (err error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".signalbox-download-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, l := range m.Layers {
		if err := fetch(ctx, c, root, l, gets[l.Path]); err != nil {
			return fmt.Errorf("%s: %w", l.Path, err)
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // it is empty
		return err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// fetch writes one file below root, which lets no path out, and checks what came.
func fetch(ctx context.Context, c *remote.Client, root *os.Root, l manifest.Layer, get bucket.Signed) (err error) {
	if err := root.MkdirAll(path.Dir(l.Path), 0o755); err != nil {
		return err
	}
	body, err := c.Fetch(ctx, get)
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := root.OpenFile(l.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
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
		return fmt.Errorf("what came is not what the manifest names: %w", cas.ErrCorrupt)
	}
	return nil
}
