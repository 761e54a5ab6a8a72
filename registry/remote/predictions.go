package remote

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// PredictionLineage is where one prediction comes from, back to positions in the log.
type PredictionLineage struct {
	Prediction ArchivedPrediction `json:"prediction"`
	Package    PackageOrigin      `json:"package"`
}

// ArchivedPrediction is what a prediction was, and where its event stands.
type ArchivedPrediction struct {
	ID         string             `json:"id"`
	Made       time.Time          `json:"made_at"`
	Model      registry.ModelName `json:"model"`
	Tag        string             `json:"tag"`        // <model>/<name>; "" where the package was asked for by its digest
	Generation int64              `json:"generation"` // of the tag
	Package    cas.Digest         `json:"package"`    // that answered
	Topic      string             `json:"topic"`
	Partition  int32              `json:"partition"`
	Offset     int64              `json:"offset"`
	File       string             `json:"file"` // bucket key of the archive file with the event
}

// PackageOrigin is the run that left a package first, the dataset that it was trained on, and the archive files, and so
// the offsets of the log, that the dataset was built from. Run is nil for a package that was published by hand, Dataset
// where the request named paths.
type PackageOrigin struct {
	ID      cas.Digest         `json:"id"`
	Run     *registry.Run      `json:"run"`
	Dataset *registry.Dataset  `json:"dataset"`
	Sources []manifest.Source  `json:"sources"`
	Model   registry.ModelName `json:"model"`
}

// PredictionLineage walks from a prediction back to the log. A prediction that is unknown or not archived yet is
// registry.ErrNotFound.
func (c *Client) PredictionLineage(ctx context.Context, id string) (PredictionLineage, error) {
	var l PredictionLineage
	_, err := c.call(ctx, request{method: http.MethodGet, path: "/v1/predictions/" + url.PathEscape(id) + "/lineage"}, &l)
	return l, err
}
