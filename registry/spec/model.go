package spec

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/name"
)

// Metrics of evaluations.
const (
	MetricAUC      = "auc"
	MetricLogLoss  = "log_loss"
	MetricBrier    = "brier"
	MetricAccuracy = "accuracy" // reported, but no policy can ask for it
)

// Model declares what is trained when data arrives, and what decides on its promotion. Data, Train and ComputeResource
// have the shape of the training request.
type Model struct {
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner"`
	Project     string `json:"project"`
	Trainer     string `json:"trainer,omitempty"`
	// Dataset is the name whose dataset.ready events start runs; "" means only by request.
	Dataset         string          `json:"dataset,omitempty"`
	Data            json.RawMessage `json:"data,omitempty"` // holdout_sampling, filters, date_column
	Train           json.RawMessage `json:"train"`          // workflow_name, classifier_features, label, custom_params
	ComputeResource string          `json:"compute_resource,omitempty"`
	Evaluation      Evaluation      `json:"evaluation"`
	Prediction      Prediction      `json:"prediction,omitempty"`
}

// Evaluation is the promotion policy. The candidate is promoted where it has MinRows of holdout, beats the baseline if
// there is one, and its Metric is at least the champion's plus MinGain; the first candidate has no champion.
type Evaluation struct {
	Tag     string  `json:"tag"`    // name of the model's tag, such as production
	Metric  string  `json:"metric"` // auc (higher is better), log_loss or brier (lower is better)
	MinRows int64   `json:"minRows,omitempty"`
	MinGain float64 `json:"minGain,omitempty"`
	// Output is the model output that is scored; the first output where empty.
	Output string `json:"output,omitempty"`
	// Baseline is an input column whose value ranks rows on its own; "" compares with no baseline.
	Baseline string `json:"baseline,omitempty"`
	// Slices are input columns whose values get their own figures.
	Slices []string `json:"slices,omitempty"`
}

// Prediction is the serving policy.
type Prediction struct {
	// LogInputs keeps the rows in prediction.made events. They may hold personal data: off by default.
	LogInputs bool `json:"logInputs,omitempty"`
}

// Train is what a training request must say in its member train; members that are not here go to the workflow as they
// are.
type Train struct {
	// WorkflowName names a Workflow, or the class of its entrypoint.
	WorkflowName       string   `json:"workflow_name"`
	ClassifierFeatures []string `json:"classifier_features"`
	Label              string   `json:"label"`
}

// ReadTrain reads and validates the member train of a training request. Paths in its error start at the member.
func ReadTrain(b json.RawMessage) (Train, error) {
	var fs manifest.FaultList
	var t Train
	if !isObject(b) {
		fs.Add("", "want an object with workflow_name, classifier_features and label")
		return Train{}, fs.Join()
	}
	// Unlike everywhere else unknown members are the point, so this decoder is not the strict one.
	if err := json.Unmarshal(b, &t); err != nil {
		fs.Add("", "%v", err)
		return Train{}, fs.Join()
	}
	fs.Check(t.WorkflowName != "", "/workflow_name", "name a workflow")
	fs.Check(len(t.ClassifierFeatures) > 0, "/classifier_features", "name at least one column")
	for i, f := range t.ClassifierFeatures {
		path := "/classifier_features/" + strconv.Itoa(i)
		fs.Check(f != "", path, "is empty")
		fs.Check(slices.Index(t.ClassifierFeatures, f) == i, path, "%.100q is there twice", f)
		fs.Check(f != t.Label, path, "is the label")
	}
	fs.Check(t.Label != "", "/label", "name the column that is learned")
	return t, fs.Join()
}

// Validate lists everything that is wrong with m.
func (m Model) Validate() error {
	var fs manifest.FaultList
	fs.Check(m.Owner != "", "/owner", "say who answers for the model")
	fs.Check(m.Project != "", "/project", "say which project it belongs to")
	if m.Dataset != "" {
		fs.Err("/dataset", name.Check(m.Dataset))
	}
	fs.Check(m.Data == nil || isObject(m.Data), "/data", "want an object, such as holdout_sampling and filters")
	t, err := ReadTrain(m.Train)
	fs.Nested("/train", err)
	e := m.Evaluation
	fs.Err("/evaluation/tag", name.Check(e.Tag))
	fs.Check(slices.Contains([]string{MetricAUC, MetricLogLoss, MetricBrier}, e.Metric), "/evaluation/metric",
		"want %s, %s or %s", MetricAUC, MetricLogLoss, MetricBrier)
	fs.Check(e.MinRows >= 0, "/evaluation/minRows", "is negative")
	fs.Check(e.MinGain >= 0 && !math.IsInf(e.MinGain, 1), "/evaluation/minGain", "is negative")
	fs.Check(e.Baseline == "" || slices.Contains(t.ClassifierFeatures, e.Baseline), "/evaluation/baseline",
		"%.100q is none of the classifier_features", e.Baseline)
	for i, s := range e.Slices {
		fs.Check(slices.Contains(t.ClassifierFeatures, s), "/evaluation/slices/"+strconv.Itoa(i),
			"%.100q is none of the classifier_features", s)
	}
	return fs.Join()
}
