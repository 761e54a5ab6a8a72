package events

// TypeEvaluationCompleted says how a package did and what was decided. Subject: the package id.
const TypeEvaluationCompleted = "dev.signalbox.evaluation.completed"

// EvaluationCompleted is the data of TypeEvaluationCompleted.
type EvaluationCompleted struct {
	Evaluation string                        `json:"evaluation"` // digest of the evaluation manifest
	Package    string                        `json:"package"`
	Model      string                        `json:"model"`
	RunID      string                        `json:"run_id"`
	Tag        string                        `json:"tag"`                // <model>/<name>
	Champion   string                        `json:"champion,omitempty"` // digest, empty where the tag did not exist
	Generation int64                         `json:"generation"`         // of the tag when the champion was read
	Metrics    map[string]map[string]float64 `json:"metrics"`            // candidate, champion, baseline: metric: value
	Slices     []Slice                       `json:"slices,omitempty"`
	Decision   string                        `json:"decision"` // promote or keep
	Reasons    []string                      `json:"reasons"`
}

// Slice is a part of the holdout with its own figures.
type Slice struct {
	Column  string                        `json:"column"`
	Value   string                        `json:"value"`
	Rows    int64                         `json:"rows"`
	Metrics map[string]map[string]float64 `json:"metrics"`
}
