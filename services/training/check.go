package training

import (
	"bytes"
	"context"
	"errors"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

// What a request may have at most. None of it is near what anybody needs; it keeps a request from being a burden.
const (
	maxDescription = 10_000 // bytes
	maxPriority    = 100
	maxSources     = 100
	maxNames       = 5_000 // columns
	maxFilters     = 1_000
	maxValues      = 10_000 // that a filter compares with
	maxWorkers     = 512
)

// check lists everything that is wrong with a training request. Errors of what it looks up are returned as they are;
// everything else is registry.ErrInvalid. Unknown members at the top, in train and in custom_params are the workflow's.
func (s *Server) check(ctx context.Context, body []byte) error {
	var fs manifest.FaultList
	q := readObject(&fs, "", body)
	s.checkHead(&fs, q)
	data, ok := q.child(&fs, "data")
	fs.Check(ok, "/data", "is missing: say what to train on")
	data.known(&fs, "features", "date_column", "filters", "holdout_sampling")
	cols, err := s.checkFeatures(ctx, &fs, data)
	if err != nil {
		return err
	}
	date := data.text(&fs, "date_column")
	cols.want(&fs, data.pointer("date_column"), date)
	checkFilters(&fs, data, cols)
	checkSampling(&fs, data, cols, date)
	if err := s.checkTrain(ctx, &fs, q, cols); err != nil {
		return err
	}
	checkScalars(&fs, "", body)
	return firstFaults(fs)
}

// firstFaults leaves one fault of each member: what is found after it is its consequence.
func firstFaults(fs manifest.FaultList) error {
	var out []error
	seen := map[string]bool{}
	for _, f := range manifest.Faults(fs.Join()) {
		if !seen[f.Path] {
			out = append(out, f)
		}
		seen[f.Path] = true
	}
	return errors.Join(out...)
}

// checkHead checks for whom the model is, and on what it is trained.
func (s *Server) checkHead(fs *manifest.FaultList, q object) {
	q.alike(fs, "model_name", "model_description", "owner", "project", "trainer", "data", "train", "compute_resource", "priority")
	if model := member[string](fs, q, "model_name", "a string"); !q.has("model_name") {
		fs.Add("/model_name", "is missing")
	} else if _, err := registry.ParseModelName(model); err != nil && kind(q.members["model_name"]) == "a string" {
		fs.Add("/model_name", "%v", err)
	}
	q.textTo(fs, "model_description", maxDescription)
	for _, name := range []string{"owner", "project", "trainer"} {
		q.textTo(fs, name, registry.MaxWho)
	}
	priority := member[int64](fs, q, "priority", "an integer")
	fs.Check(priority >= -maxPriority && priority <= maxPriority, "/priority", "want %d to %d", -maxPriority, maxPriority)
	s.checkClass(fs, q)
}

// checkClass checks the compute class in both of its forms: a name, and an object with the name and how many workers.
func (s *Server) checkClass(fs *manifest.FaultList, q object) {
	const name = "compute_resource"
	if !q.has(name) {
		return
	}
	at := q
	if kind(q.members[name]) == "an object" {
		at, _ = q.child(fs, name)
		at.known(fs, name, "workers")
		workers := member[int64](fs, at, "workers", "an integer")
		fs.Check(!at.has("workers") || workers >= 1 && workers <= maxWorkers, at.pointer("workers"), "want 1 to %d", maxWorkers)
	}
	if class := at.text(fs, name); class != "" || !at.has(name) || string(at.members[name]) == `""` {
		oneOf(fs, at.pointer(name), class, s.cfg.ComputeClasses)
	}
}

// checkTrain checks the member train and that its workflow and its columns exist.
func (s *Server) checkTrain(ctx context.Context, fs *manifest.FaultList, q object, cols columns) error {
	train, ok := q.child(fs, "train")
	if !ok {
		fs.Add("/train", "is missing: say which workflow trains")
		return nil
	}
	if train.members == nil {
		return nil
	}
	train.alike(fs, "workflow_name", "classifier_features", "label", "custom_params")
	train.child(fs, "custom_params")
	label := train.needed(fs, "label", "name the column that is learned")
	cols.want(fs, train.pointer("label"), label)
	features := train.names(fs, "classifier_features")
	if list := train.members["classifier_features"]; !train.has("classifier_features") || string(bytes.TrimSpace(list)) == "[]" {
		fs.Add(train.pointer("classifier_features"), "name at least one column")
	}
	seen := map[string]bool{}
	for i, name := range features {
		if name == "" {
			continue // which is faulted already
		}
		at := train.pointer("classifier_features") + "/" + strconv.Itoa(i)
		fs.Check(!seen[name], at, "%.100q is there twice", name)
		fs.Check(name != label, at, "is the label")
		seen[name] = true
		cols.want(fs, at, name)
		fs.Check(cols.types[name] != manifest.Timestamp, at, "%.100q is a time, which no model takes: derive a number from it", name)
	}
	return s.checkWorkflow(ctx, fs, train)
}

func (s *Server) checkWorkflow(ctx context.Context, fs *manifest.FaultList, train object) error {
	name := train.needed(fs, "workflow_name", "name a workflow")
	if name == "" || !httpapi.Storable(name) { // which is faulted already, or with all other texts
		return nil
	}
	_, _, err := s.cfg.Declared.FindWorkflow(ctx, name)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		fs.Add(train.pointer("workflow_name"), "there is no workflow %.100q: apply it first", name)
	case errors.Is(err, registry.ErrInvalid):
		*fs = append(*fs, err)
	case err != nil:
		return err
	}
	return nil
}
