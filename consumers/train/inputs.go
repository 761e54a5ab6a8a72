package train

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// DataPrefix is where the files lie that requests may name by path.
const DataPrefix = "data/"

// inputs signs every file that a run reads, in the order of data.features.
func (m *Machine) inputs(ctx context.Context, run registry.Run, q request) ([]input, error) {
	var out []input
	for i, f := range q.Data.Features {
		one, err := m.input(ctx, f.Dataset, f.Path)
		if err != nil {
			return nil, fmt.Errorf("/data/features/%s: %w", strconv.Itoa(i), err)
		}
		out = append(out, one)
	}
	if len(out) == 0 && !run.Dataset.IsZero() {
		one, err := m.dataset(ctx, run.Dataset)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	if len(out) == 0 {
		return nil, &manifest.Fault{Path: "/data/features", Problem: "the run has no data: name a dataset or a path"}
	}
	return out, nil
}

func (m *Machine) input(ctx context.Context, dataset, path string) (input, error) {
	if dataset == "" {
		return m.path(ctx, path)
	}
	id, err := cas.Parse(dataset)
	if err != nil {
		return input{}, &manifest.Fault{Path: "/dataset", Problem: err.Error()}
	}
	return m.dataset(ctx, id)
}

func (m *Machine) dataset(ctx context.Context, id cas.Digest) (input, error) {
	doc, err := m.cfg.Inputs.DatasetManifest(ctx, id)
	if err != nil {
		return input{}, fmt.Errorf("dataset %s: %w", id, err)
	}
	in := input{Digest: id, Rows: doc.Rows, Columns: doc.Columns, Label: doc.Label}
	for _, p := range doc.Parts {
		get, err := m.cfg.Signer.SignGet(ctx, p.Key, m.cfg.SignFor)
		if err != nil {
			return input{}, fmt.Errorf("sign part of dataset %s: %w", id, err)
		}
		in.Parts = append(in.Parts, part{Digest: p.Digest, Bytes: p.Bytes, Rows: p.Rows, Get: get})
	}
	return in, nil
}

// path finds one Parquet object, or every one below a prefix.
func (m *Machine) path(ctx context.Context, path string) (input, error) {
	key, ok := strings.CutPrefix(path, "s3://"+m.cfg.BucketName+"/")
	if !ok || m.cfg.BucketName == "" || !strings.HasPrefix(key, DataPrefix) {
		return input{}, &manifest.Fault{Path: "/path", Problem: "outside the configured store"}
	}
	key = strings.TrimSuffix(key, "/")
	in := input{Columns: []manifest.Column{}}
	attrs, err := m.cfg.Bucket.Stat(ctx, key)
	if err == nil {
		return in, m.addObject(ctx, &in, attrs)
	}
	if !errors.Is(err, bucket.ErrNotFound) {
		return input{}, err
	}
	for attrs, err := range m.cfg.Bucket.List(ctx, key+"/") {
		if err != nil {
			return input{}, err
		}
		if !strings.HasSuffix(attrs.Key, ".parquet") && !strings.HasSuffix(attrs.Key, ".parq") {
			continue
		}
		if attrs, err = m.cfg.Bucket.Stat(ctx, attrs.Key); err != nil { // a listing has no digests
			return input{}, err
		}
		if err := m.addObject(ctx, &in, attrs); err != nil {
			return input{}, err
		}
	}
	if len(in.Parts) == 0 {
		return input{}, fmt.Errorf("%s: %w", path, registry.ErrNotFound)
	}
	return in, nil
}

func (m *Machine) addObject(ctx context.Context, in *input, attrs bucket.Attrs) error {
	get, err := m.cfg.Signer.SignGet(ctx, attrs.Key, m.cfg.SignFor)
	if err != nil {
		return fmt.Errorf("sign %s: %w", attrs.Key, err)
	}
	in.Parts = append(in.Parts, part{Digest: attrs.SHA256, Bytes: attrs.Size, Get: get})
	return nil
}
