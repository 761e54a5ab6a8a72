package flights

import (
	"context"
	"net/url"
	"time"
)

// Lineage is where one prediction comes from, back to positions in the log.
type Lineage struct {
	Prediction struct {
		ID        string `json:"id"`
		File      string `json:"file"` // archive file that holds the prediction.made event
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
		Offset    int64  `json:"offset"`
		Package   string `json:"package"`
		Tag       string `json:"tag"`
	} `json:"prediction"`
	Package struct {
		Run     runDoc     `json:"run"`
		Dataset datasetDoc `json:"dataset"`
		Sources []Source   `json:"sources"`
	} `json:"package"`
}

// Source is one archive file that the model's dataset was built from.
type Source struct {
	Key       string `json:"key"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Start     int64  `json:"start"`
	End       int64  `json:"end"`
	Rows      int64  `json:"rows"`
}

// Trace waits until a prediction is archived and returns its lineage.
func Trace(ctx context.Context, c *Client, predictionID string) (Lineage, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var l Lineage
	err := await(ctx, "the prediction to be archived", func() (bool, error) {
		err := c.Get(ctx, "/v1/predictions/"+url.PathEscape(predictionID)+"/lineage", &l)
		return err == nil, err
	})
	return l, err
}
