package training

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// check lists everything that is wrong with a training request. Errors of what it looks up are returned as they are;
// everything else is registry.ErrInvalid. Unknown members at the top, in train and in custom_params are the workflow's.
func (s *Server) check(ctx context.Context, body []byte) error {
	var fs manifest.FaultList
	q := readObject(&fs, "", body)
	if model := q.text(&fs, "model_name"); !q.has("model_name") {
		fs.Add("/model_name", "is missing")
	} else if _, err := registry.ParseModelName(model); err != nil {
		fs.Add("/model_name", "%v", err)
	}
	for _, name := range []string{"model_description", "owner", "project", "trainer"} {
		q.text(&fs, name)
	}
	if class := q.text(&fs, "compute_resource"); class != "" {
		oneOf(&fs, "/compute_resource", class, s.cfg.ComputeClasses)
	}
	data, ok := q.child(&fs, "data")
	fs.Check(ok, "/data", "is missing: say what to train on")
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
	return fs.Join()
}

// checkTrain checks the member train and that its workflow and its columns exist.
func (s *Server) checkTrain(ctx context.Context, fs *manifest.FaultList, q object, cols columns) error {
	train, ok := q.child(fs, "train")
	if !ok {
		fs.Add("/train", "is missing: say which workflow trains")
		return nil
	}
	train.child(fs, "custom_params")
	t, err := spec.ReadTrain(q.members["train"])
	for _, f := range manifest.Faults(err) {
		fs.Add("/train"+f.Path, "%s", f.Problem)
	}
	for i, name := range t.ClassifierFeatures {
		at := "/train/classifier_features/" + strconv.Itoa(i)
		cols.want(fs, at, name)
		fs.Check(cols.types[name] != manifest.Timestamp, at, "%.100q is a time, which no model takes: derive a number from it", name)
	}
	cols.want(fs, "/train/label", t.Label)
	if t.WorkflowName == "" {
		return nil
	}
	_, _, err = s.cfg.Declared.FindWorkflow(ctx, t.WorkflowName)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		fs.Add("/train/workflow_name", "there is no workflow %.100q: apply it first", t.WorkflowName)
	case errors.Is(err, registry.ErrInvalid):
		*fs = append(*fs, err)
	case err != nil:
		return err
	}
	return nil
}

// predicates and the forms of value that they take.
const (
	noValue = iota
	oneValue
	manyValues
)

func predicates() map[string]int {
	return map[string]int{
		"Eq": oneValue, "NotEq": oneValue, "Gt": oneValue, "GtEq": oneValue, "Lt": oneValue, "LtEq": oneValue,
		"IsIn": manyValues, "NotIn": manyValues, "IsNull": noValue, "NotNull": noValue,
	}
}

func predicateNames() []string {
	return []string{"Eq", "NotEq", "Gt", "GtEq", "Lt", "LtEq", "IsIn", "NotIn", "IsNull", "NotNull"}
}

func checkFilters(fs *manifest.FaultList, data object, cols columns) {
	for _, f := range data.children(fs, "filters") {
		f.known(fs, "feature_name", "predicate", "feature_value")
		name := f.text(fs, "feature_name")
		fs.Check(name != "", f.pointer("feature_name"), "is missing")
		cols.want(fs, f.pointer("feature_name"), name)
		predicate := f.text(fs, "predicate")
		if !oneOf(fs, f.pointer("predicate"), predicate, predicateNames()) {
			continue
		}
		value, there := f.child(fs, "feature_value")
		form := predicates()[predicate]
		fs.Check(there || form == noValue, value.at, "is missing: %s compares with something", predicate)
		if there {
			checkValue(fs, value, predicate, form)
		}
	}
}

// checkValue checks the typed union that a filter compares with.
func checkValue(fs *manifest.FaultList, value object, predicate string, form int) {
	value.known(fs, "string_val", "float_val", "int_val", "bool_val", "date_val", "string_vals", "float_vals", "int_vals")
	given := 0
	for name := range value.members {
		if !value.has(name) {
			continue
		}
		given++
		many := strings.HasSuffix(name, "_vals")
		fs.Check(form == noValue || many == (form == manyValues), value.pointer(name), "%s does not take %s", predicate, name)
		switch name {
		case "string_val":
			value.text(fs, name)
		case "float_val":
			member[float64](fs, value, name, "a number")
		case "int_val":
			member[int64](fs, value, name, "an integer")
		case "bool_val":
			member[bool](fs, value, name, "a boolean")
		case "date_val":
			checkDate(fs, value, name)
		case "string_vals":
			member[[]string](fs, value, name, "an array of strings")
		case "float_vals":
			member[[]float64](fs, value, name, "an array of numbers")
		case "int_vals":
			member[[]int64](fs, value, name, "an array of integers")
		}
	}
	fs.Check(form == noValue || given == 1, value.at, "want exactly one value, got %d", given)
}
