package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// TrainRequest asks for a model. What is zero is not sent, but ModelName, Data and Train.
type TrainRequest struct {
	ModelName        string `json:"model_name"`
	ModelDescription string `json:"model_description,omitempty"`
	Owner            string `json:"owner,omitempty"`
	Project          string `json:"project,omitempty"`
	Trainer          string `json:"trainer,omitempty"`
	Data             Data   `json:"data"`
	Train            Train  `json:"train"`
	// ComputeResource is CPU, GPU, HIGH_MEMORY, or a class that the operator configured; "" means CPU.
	ComputeResource string `json:"compute_resource,omitempty"`
	// Workers is how many processes train together; 0 means 1. It stands in the object form of compute_resource.
	Workers int `json:"-"`
	// Priority says which of several waiting runs goes first, the greater one: -100 to 100.
	Priority int `json:"priority,omitempty"`
	// Extra are further members at the top. They are kept, and reach the workflow.
	Extra map[string]any `json:"-"`
	// Key is the idempotency key: the same one gives the same run, whatever the rest says by then. "" makes one for this call.
	Key string `json:"-"`
}

// Data says which rows to train on.
type Data struct {
	// Features are the sources; several are joined on the columns that they share.
	Features   []Source `json:"features"`
	DateColumn string   `json:"date_column,omitempty"`
	// Filters must all pass.
	Filters []Filter `json:"filters,omitempty"`
	// Holdout says which rows are kept back for the scores; nil for none.
	Holdout *Sampling `json:"holdout_sampling,omitempty"`
}

// Source is a dataset or a path, with the columns that are wanted of it: none means all.
type Source struct {
	Names []string `json:"names,omitempty"`
	// Dataset is a digest, or <name>@latest.
	Dataset string `json:"dataset,omitempty"`
	// Path is the s3:// address of Parquet files below data/ in Signalbox's own bucket.
	Path string `json:"path,omitempty"`
	// Origin is for the reader's information.
	Origin any `json:"source,omitempty"`
}

// Train says which workflow trains, and on what.
type Train struct {
	WorkflowName string `json:"workflow_name"`
	// ClassifierFeatures are the columns to learn from, without the label and without columns of times.
	ClassifierFeatures []string `json:"classifier_features"`
	Label              string   `json:"label"`
	// CustomParams are the workflow's own.
	CustomParams map[string]any `json:"custom_params,omitempty"`
	// Extra are further members. They reach the workflow as they are.
	Extra map[string]any `json:"-"`
}

// resource is the object form of compute_resource.
type resource struct {
	ComputeResource string `json:"compute_resource,omitempty"`
	Workers         int    `json:"workers,omitempty"`
}

// plainRequest and plainTrain have the members, but not the methods.
type (
	plainRequest TrainRequest
	plainTrain   Train
)

// MarshalJSON puts Extra beside the members. One that stands in both places is an error.
func (r TrainRequest) MarshalJSON() ([]byte, error) {
	b, err := withExtra(plainRequest(r), r.Extra)
	if err != nil || r.Workers == 0 {
		return b, err
	}
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	if doc["compute_resource"], err = json.Marshal(resource{r.ComputeResource, r.Workers}); err != nil {
		return nil, err
	}
	return json.Marshal(doc)
}

// MarshalJSON puts Extra beside the members. One that stands in both places is an error.
func (t Train) MarshalJSON() ([]byte, error) { return withExtra(plainTrain(t), t.Extra) }

// UnmarshalJSON reads a request as runs have it: members that the type does not have are in Extra, numbers among them as
// json.Number. The compute class may be an object, as some of the talk's slides have it.
func (r *TrainRequest) UnmarshalJSON(b []byte) error {
	var class struct {
		ComputeResource json.RawMessage `json:"compute_resource"`
	}
	if err := json.Unmarshal(b, &class); err != nil {
		return err
	}
	var doc struct {
		plainRequest
		ComputeResource json.RawMessage `json:"compute_resource"` // shadows that of the request
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return err
	}
	*r = TrainRequest(doc.plainRequest)
	text := class.ComputeResource
	if bytes.HasPrefix(text, []byte("{")) {
		var object resource
		if err := json.Unmarshal(text, &object); err != nil {
			return fmt.Errorf("compute_resource: %w", err)
		}
		r.ComputeResource, r.Workers = object.ComputeResource, object.Workers
	} else if len(text) > 0 {
		if err := json.Unmarshal(text, &r.ComputeResource); err != nil {
			return fmt.Errorf("compute_resource: %w", err)
		}
	}
	return extraOf(b, reflect.TypeFor[plainRequest](), &r.Extra)
}

// UnmarshalJSON keeps members that the type does not have in Extra.
func (t *Train) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, (*plainTrain)(t)); err != nil {
		return err
	}
	return extraOf(b, reflect.TypeFor[plainTrain](), &t.Extra)
}

func withExtra(v any, extra map[string]any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil || len(extra) == 0 {
		return b, err
	}
	taken := members(reflect.TypeOf(v))
	for name := range extra {
		if taken[name] {
			return nil, fmt.Errorf("extra member %q: the type has a field for it", name)
		}
	}
	more, err := json.Marshal(extra)
	if err != nil {
		return nil, err
	}
	return append(append(b[:len(b)-1], ','), more[1:]...), nil
}

func extraOf(b []byte, t reflect.Type, out *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // an integer beyond 2^53 comes back as it was
	var all map[string]any
	if err := d.Decode(&all); err != nil {
		return err
	}
	for name := range members(t) {
		delete(all, name)
	}
	if *out = nil; len(all) > 0 {
		*out = all
	}
	return nil
}

// members are the names that a struct's fields have in JSON.
func members(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "-" {
			names[name] = true
		}
	}
	return names
}
