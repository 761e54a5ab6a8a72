package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Row is the features of one prediction, or the outputs of one, by name. A nullable feature may be nil or left out.
type Row = map[string]any

// PredictRequest asks for predictions by tag.
type PredictRequest struct {
	Model string
	Tag   string // "" means production
	Rows  []Row  // at most 10,000
	// MinGeneration refuses an older generation of the tag: the server waits some seconds for it.
	MinGeneration int64
	// Key keeps the same caller on the same arm of a tag that has several.
	Key string
	// Strict refuses members of rows that are no features.
	Strict bool
}

// Prediction is the answer of one package to all rows.
type Prediction struct {
	Predictions []Row      `json:"predictions"` // in the order of the rows
	Package     cas.Digest `json:"package"`
	Generation  int64      `json:"generation"` // of the tag; 0 where the package was asked for by its digest
	// IDs are one for each row, for labels and for lineage.
	IDs []string `json:"prediction_ids"`
}

// Predict asks the model that a tag points at. A try whose answer is lost may have been recorded as a prediction, under
// other ids.
func (c *Client) Predict(ctx context.Context, q PredictRequest) (Prediction, error) {
	tag := q.Tag
	if tag == "" {
		tag = "production"
	}
	r := request{path: "/v1/predict/" + url.PathEscape(q.Model) + "/" + url.PathEscape(tag), header: http.Header{}}
	if q.MinGeneration > 0 {
		r.header.Set("Signalbox-Min-Generation", strconv.FormatInt(q.MinGeneration, 10))
	}
	if q.Key != "" {
		r.header.Set("Signalbox-Key", q.Key)
	}
	return c.predictions(ctx, r, q.Model+"/"+tag, q.Rows, q.Strict)
}

// PredictPackage asks one package, whatever the tags say. strict refuses members of rows that are no features.
func (c *Client) PredictPackage(ctx context.Context, model string, pkg cas.Digest, rows []Row, strict bool) (Prediction, error) {
	r := request{path: "/v1/predict/" + url.PathEscape(model) + "/packages/" + pkg.String()}
	return c.predictions(ctx, r, model+"/"+pkg.String(), rows, strict)
}

func (c *Client) predictions(ctx context.Context, r request, subject string, rows []Row, strict bool) (Prediction, error) {
	if c.predict == "" {
		return Prediction{}, errors.New("predict: the client has no PredictURL: say where the data plane answers")
	}
	if rows == nil {
		rows = []Row{}
	}
	r.base, r.method = c.predict, http.MethodPost
	r.body = struct {
		Rows []Row `json:"rows"`
	}{rows}
	if strict {
		r.query = url.Values{"strict": {"true"}}
	}
	var p Prediction
	if err := c.call(ctx, r, &p); err != nil {
		return Prediction{}, fmt.Errorf("predict with %s: %w", subject, err)
	}
	return p, nil
}
