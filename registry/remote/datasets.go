package remote

import (
	"context"
	"net/http"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// ListDatasets returns datasets, newest first. Only Name and Limit of f are asked for.
func (c *Client) ListDatasets(ctx context.Context, f registry.DatasetFilter) ([]registry.Dataset, error) {
	q := limit(f.Limit)
	if f.Name != "" {
		q.Set("name", f.Name)
	}
	var doc struct{ Datasets []registry.Dataset }
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/datasets", query: q}, &doc)
	return doc.Datasets, err
}

// Dataset is a dataset with all that is known of it.
type Dataset struct {
	Dataset registry.Dataset `json:"dataset"`
	// Manifest is the document that the dataset's digest is of: its columns, its parts and what it was made from.
	Manifest manifest.Dataset `json:"manifest"`
	Runs     []registry.Run   `json:"runs"` // that were trained on it, newest first
}

// Dataset returns a dataset with its manifest and the runs that used it.
func (c *Client) Dataset(ctx context.Context, id cas.Digest) (Dataset, error) {
	var d Dataset
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/datasets/" + id.String()}, &d)
	return d, err
}
