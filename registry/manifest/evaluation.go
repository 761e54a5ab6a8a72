package manifest

import (
	"maps"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/name"
)

// MediaEvaluation is the media type of an evaluation's manifest.
const MediaEvaluation = "application/vnd.signalbox.evaluation.v1+json"

// Decisions of an evaluation.
const (
	Promote = "promote"
	Keep    = "keep"
)

// Evaluation is the record of one comparison: candidate against champion on one holdout, with every number and the
// decision. Its digest is the evidence that a tag's history names.
type Evaluation struct {
	Model      string     `json:"model"`
	Package    cas.Digest `json:"package"`
	RunID      string     `json:"run_id"`
	Dataset    cas.Digest `json:"dataset"`
	Tag        string     `json:"tag"`
	Champion   cas.Digest `json:"champion"`
	Generation int64      `json:"generation"` // of the tag when the champion was read
	Holdout    cas.Digest `json:"holdout"`    // of holdout.jsonl
	Rows       int64      `json:"rows"`
	// Metrics are by scorer (candidate, champion, baseline) and metric (auc, log_loss, brier, accuracy).
	Metrics map[string]map[string]float64 `json:"metrics"`
	Slices  []events.Slice                `json:"slices,omitempty"`
	// Policy is the policy of the model's spec as it stood.
	Policy   any      `json:"policy"`
	Decision string   `json:"decision"`
	Reasons  []string `json:"reasons"`
}

// Encode returns the canonical bytes, whose digest is the evaluation's identity. Errors are ErrInvalid.
func (e Evaluation) Encode() ([]byte, error) {
	e.Reasons = present(e.Reasons)
	if e.Metrics == nil {
		e.Metrics = map[string]map[string]float64{}
	}
	if err := e.validate(); err != nil {
		return nil, err
	}
	return encode(e)
}

// DecodeEvaluation reads an evaluation: strictly and only in its canonical form. Errors are ErrInvalid.
func DecodeEvaluation(b []byte) (Evaluation, error) {
	var e Evaluation
	if err := decodeCanonical(b, &e, func() ([]byte, error) { return e.Encode() }); err != nil {
		return Evaluation{}, err
	}
	return e, nil
}

func (e Evaluation) validate() error {
	var fs FaultList
	if err := name.Check(e.Model); err != nil {
		fs.Add("/model", "%v", err)
	}
	model, tag, ok := strings.Cut(e.Tag, "/")
	fs.Check(ok && model == e.Model && name.Check(tag) == nil, "/tag", "want %s/<name>", e.Model)
	fs.Check(!e.Package.IsZero(), "/package", "is missing")
	fs.Check(e.RunID != "", "/run_id", "is missing")
	fs.Check(!e.Holdout.IsZero(), "/holdout", "is missing")
	fs.Check(e.Rows >= 0, "/rows", "is negative")
	fs.Check(e.Generation >= 0, "/generation", "is negative")
	fs.Check(e.Champion.IsZero() == (e.Generation == 0), "/champion", "a tag has a champion from generation 1 on")
	checkMetrics(&fs, "/metrics", e.Metrics)
	for _, s := range e.Slices {
		checkMetrics(&fs, "/slices/"+Escape(s.Column)+"="+Escape(s.Value), s.Metrics)
	}
	fs.Check(e.Decision == Promote || e.Decision == Keep, "/decision", "want %s or %s", Promote, Keep)
	fs.Check(len(e.Reasons) > 0, "/reasons", "a decision has reasons")
	return fs.Join()
}

func checkMetrics(fs *FaultList, at string, m map[string]map[string]float64) {
	for _, who := range slices.Sorted(maps.Keys(m)) {
		for _, metric := range slices.Sorted(maps.Keys(m[who])) {
			fs.Check(finite(m[who][metric]), at+"/"+Escape(who)+"/"+Escape(metric), "JSON has no such number: leave it out")
		}
	}
}
