package remote

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Prediction is the answer to a predict request.
type Prediction struct {
	Predictions   []json.RawMessage `json:"predictions"` // an object of outputs for each row, in order
	Package       cas.Digest        `json:"package"`
	Generation    int64             `json:"generation"` // 0 where the package was asked for by its digest
	PredictionIDs []string          `json:"prediction_ids"`
}

// PredictOptions choose which model answers.
type PredictOptions struct {
	// MinGeneration refuses an older generation of the tag: the server waits a moment for it.
	MinGeneration int64
	// Key keeps the same caller on the same arm of a tag.
	Key string
	// Strict refuses members of rows that are no features.
	Strict bool
}

// Predict asks the model that a tag points at. Each row is a JSON object. The client's URL must be the data plane's.
func (c *Client) Predict(ctx context.Context, t registry.Tag, rows []json.RawMessage, o PredictOptions) (Prediction, error) {
	r := request{
		method: http.MethodPost, path: "/v1/predict/" + url.PathEscape(string(t.Model)) + "/" + url.PathEscape(t.Name),
		body: struct {
			Rows []json.RawMessage `json:"rows"`
		}{rows},
		header: http.Header{}, query: url.Values{},
	}
	if o.MinGeneration > 0 {
		r.header.Set("Signalbox-Min-Generation", strconv.FormatInt(o.MinGeneration, 10))
	}
	if o.Key != "" {
		r.header.Set("Signalbox-Key", o.Key)
	}
	if o.Strict {
		r.query.Set("strict", "true")
	}
	var p Prediction
	_, err := c.call(ctx, r, &p)
	return p, err
}
