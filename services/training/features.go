package training

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/name"
)

// columns is what is known of the columns that a run will have. Those of a file that a path names are not known before
// it is read.
type columns struct {
	complete bool
	types    map[string]string
}

// want faults a column that certainly is not there. The empty name is no column to want.
func (c columns) want(fs *manifest.FaultList, at, column string) {
	if _, ok := c.types[column]; !ok && c.complete && column != "" {
		fs.Add(at, "there is no column %.100q in data.features", column)
	}
}

// checkFeatures checks where the data comes from and returns its columns.
func (s *Server) checkFeatures(ctx context.Context, fs *manifest.FaultList, data object) (columns, error) {
	cols := columns{complete: true, types: map[string]string{}}
	features := data.children(fs, "features", maxSources)
	if len(features) == 0 {
		cols.complete = false
		if list := data.members["features"]; data.members != nil && (!data.has("features") || string(bytes.TrimSpace(list)) == "[]") {
			fs.Add(data.pointer("features"), "name at least one source: a dataset or a path")
		}
	}
	for _, f := range features {
		if f.members == nil {
			cols.complete = false
			continue
		}
		f.known(fs, "names", "path", "dataset", "source")
		names := f.names(fs, "names")
		path, dataset := f.text(fs, "path"), f.text(fs, "dataset")
		switch {
		case path != "" && dataset != "":
			fs.Add(f.at, "has both a path and a dataset: want one of them")
			cols.complete = false
		case dataset != "":
			if err := s.checkDataset(ctx, fs, f, dataset, names, &cols); err != nil {
				return cols, err
			}
		case path != "":
			cols.complete = false
			if err := s.checkPath(ctx, fs, f.pointer("path"), path); err != nil {
				return cols, err
			}
		default:
			fs.Check(f.has("path") || f.has("dataset"), f.at, "want a dataset or a path")
			cols.complete = false
		}
	}
	return cols, nil
}

// checkDataset finds a dataset and adds its columns, or those of them that are asked for.
func (s *Server) checkDataset(ctx context.Context, fs *manifest.FaultList, f object, ref string, names []string, cols *columns) error {
	at := f.pointer("dataset")
	id, err := s.resolve(ctx, ref)
	if err == nil {
		var m manifest.Dataset
		if m, err = s.cfg.Declared.DatasetManifest(ctx, id); err == nil {
			addColumns(fs, f, m, names, cols)
			return nil
		}
	}
	cols.complete = false
	switch {
	case errors.Is(err, registry.ErrNotFound):
		fs.Add(at, "there is no dataset %.100q", ref)
	case errors.Is(err, cas.ErrBadDigest), errors.Is(err, name.ErrBad):
		fs.Add(at, "%.100q: want a digest, or <name>@latest", ref)
	default:
		return err
	}
	return nil
}

func addColumns(fs *manifest.FaultList, f object, m manifest.Dataset, names []string, cols *columns) {
	have := map[string]string{}
	for _, c := range m.Columns {
		have[c.Name] = c.Type
		if len(names) == 0 {
			cols.types[c.Name] = c.Type
		}
	}
	for i, n := range names {
		typ, ok := have[n]
		fs.Check(ok || n == "", f.pointer("names")+"/"+strconv.Itoa(i), "dataset %s has no column %.100q", m.Name, n)
		cols.complete = cols.complete && ok // what else is not there is meant by this one, perhaps
		if ok {
			cols.types[n] = typ
		}
	}
}

// resolve finds a dataset by digest, or the newest one of a name.
func (s *Server) resolve(ctx context.Context, ref string) (cas.Digest, error) {
	named, ok := strings.CutSuffix(ref, "@latest")
	if !ok {
		return cas.Parse(ref)
	}
	if err := name.Check(named); err != nil {
		return cas.Digest{}, err
	}
	newest, err := s.cfg.Declared.Datasets(ctx, registry.DatasetFilter{Name: named, Limit: 1})
	if err != nil {
		return cas.Digest{}, err
	}
	if len(newest) == 0 {
		return cas.Digest{}, registry.ErrNotFound
	}
	return newest[0].ID, nil
}

// checkPath checks that a path is in the one place that requests may read from, and that there is something. Nothing that
// a caller names is ever dialled.
func (s *Server) checkPath(ctx context.Context, fs *manifest.FaultList, at, path string) error {
	base := "s3://" + s.cfg.BucketName + "/"
	key, ok := strings.CutPrefix(path, base)
	key = strings.TrimSuffix(key, "/")
	if !ok || !strings.HasPrefix(key, train.DataPrefix) || bucket.CheckKey(key) != nil {
		fs.Add(at, "paths are read from the configured store only: want %s%s...", base, train.DataPrefix)
		return nil
	}
	_, err := s.cfg.Bucket.Stat(ctx, key)
	if err == nil || !errors.Is(err, bucket.ErrNotFound) {
		return err
	}
	for attrs, err := range s.cfg.Bucket.List(ctx, key+"/") {
		if err != nil {
			return err
		}
		if strings.HasSuffix(attrs.Key, ".parquet") || strings.HasSuffix(attrs.Key, ".parq") {
			return nil
		}
	}
	fs.Add(at, "there is no Parquet file at this path")
	return nil
}
