package events

import "encoding/json"

// TypePredictionMade says what was answered, by which package, on which input. Subject: the prediction id.
const TypePredictionMade = "dev.signalbox.prediction.made"

// PredictionMade is the data of TypePredictionMade.
type PredictionMade struct {
	PredictionID string          `json:"prediction_id"`
	Model        string          `json:"model"`
	Tag          string          `json:"tag,omitempty"` // <model>/<name>; empty when asked by digest
	Generation   int64           `json:"generation,omitempty"`
	Package      string          `json:"package"`          // digest
	Inputs       json.RawMessage `json:"inputs,omitempty"` // the row as it was sent, if the model's policy keeps it
	Output       json.RawMessage `json:"output"`
	LatencyUS    int64           `json:"latency_us"` // microseconds from request read to answer computed
	Key          string          `json:"key,omitempty"`
}
