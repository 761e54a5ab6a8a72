package client_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/services/client"
)

// talk is the request of the Railyard talk.
const talk = `{"model_name":"fraud_prediction_model","model_description":"A model to predict fraud",
 "owner":"machine-learning-infrastructure","project":"strata-data-talk","trainer":"kelley",
 "data":{"features":[{"names":["created_at","charge_type","charge_amount","charge_country","has_fraud_dispute"],"path":"s3://path/to/parquet/fraud_data.parq"}],
  "date_column":"created_at",
  "filters":[{"feature_name":"charge_country","predicate":"IsIn","feature_value":{"string_vals":["US","CA"]}}],
  "holdout_sampling":{"sampling_function":"DATE_RANGE","date_range_sampling":{"date_column":"created_at","start_date":"2018-10-01","end_date":"2019-01-01"}}},
 "train":{"workflow_name":"StripeFraudModel","classifier_features":["charge_type","charge_amount"],"label":"has_fraud_dispute",
  "custom_params":{"objective":"reg:linear","max_depth":6,"n_estimators":500}},
 "compute_resource":"GPU"}`

func ofTheTalk() client.TrainRequest {
	return client.TrainRequest{
		ModelName: "fraud_prediction_model", ModelDescription: "A model to predict fraud",
		Owner: "machine-learning-infrastructure", Project: "strata-data-talk", Trainer: "kelley",
		Data: client.Data{
			Features: []client.Source{{
				Names: []string{"created_at", "charge_type", "charge_amount", "charge_country", "has_fraud_dispute"},
				Path:  "s3://path/to/parquet/fraud_data.parq",
			}},
			DateColumn: "created_at",
			Filters:    []client.Filter{{Feature: "charge_country", Predicate: client.IsIn, Value: client.Strings("US", "CA")}},
			Holdout:    client.ByDate(client.DateRange{DateColumn: "created_at", Start: "2018-10-01", End: "2019-01-01"}),
		},
		Train: client.Train{
			WorkflowName: "StripeFraudModel", ClassifierFeatures: []string{"charge_type", "charge_amount"}, Label: "has_fraud_dispute",
			CustomParams: map[string]any{"objective": "reg:linear", "max_depth": 6.0, "n_estimators": 500.0},
		},
		ComputeResource: "GPU",
	}
}

// same compares JSON documents.
func same(t *testing.T, have, want string) {
	t.Helper()
	var a, b any
	if json.Unmarshal([]byte(have), &a) != nil || json.Unmarshal([]byte(want), &b) != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("have %s\nwant %s", have, want)
	}
}

func TestRequestOfTheTalk(t *testing.T) {
	same(t, asJSON(ofTheTalk()), talk)
	var back client.TrainRequest
	if err := json.Unmarshal([]byte(talk), &back); err != nil || !reflect.DeepEqual(back, ofTheTalk()) {
		t.Errorf("%v: %+v", err, back)
	}
}

func TestMembersOfTheirOwn(t *testing.T) {
	r := ofTheTalk()
	r.Extra = map[string]any{"ticket": "ML-7", "big": json.Number("9007199254740993")}
	r.Train.Extra = map[string]any{"folds": json.Number("5")}
	r.Priority = -3
	text := asJSON(r)
	for _, part := range []string{`"ticket":"ML-7"`, `"big":9007199254740993`, `"folds":5`, `"priority":-3`} {
		if !strings.Contains(text, part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	var back client.TrainRequest
	if err := json.Unmarshal([]byte(text), &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("%v: %+v", err, back)
	}
	r.Extra = map[string]any{"owner": "me"}
	if b, err := json.Marshal(r); err == nil {
		t.Errorf("two owners: %s", b)
	}
	r.Extra = map[string]any{"share": math.NaN()}
	if b, err := json.Marshal(r); err == nil {
		t.Errorf("a number that JSON does not have: %s", b)
	}
}

func TestWorkersAreKept(t *testing.T) {
	b, err := json.Marshal(client.TrainRequest{ModelName: "m", ComputeResource: "GPU", Workers: 4, Extra: map[string]any{"ours": true}})
	if err != nil || !strings.Contains(string(b), `"compute_resource":{"compute_resource":"GPU","workers":4}`) || !strings.Contains(string(b), `"ours":true`) {
		t.Errorf("%s, %v", b, err)
	}
	var r client.TrainRequest
	if err := json.Unmarshal(b, &r); err != nil || r.ComputeResource != "GPU" || r.Workers != 4 || len(r.Extra) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestComputeResourceOfTheSlides(t *testing.T) {
	var r client.TrainRequest
	if err := json.Unmarshal([]byte(`{"compute_resource":{"compute_resource":"GPU"}}`), &r); err != nil || r.ComputeResource != "GPU" || r.Extra != nil {
		t.Errorf("%v: %+v", err, r)
	}
	for _, text := range []string{`{"compute_resource":7}`, `{"compute_resource":{"compute_resource":[]}}`, `[]`, `{"data":7}`, `{"train":{"label":7}}`} {
		if err := json.Unmarshal([]byte(text), &r); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

func TestSelections(t *testing.T) {
	for want, have := range map[string]any{
		`{"string_val":""}`:                         client.String(""),
		`{"float_val":0}`:                           client.Number(0),
		`{"int_val":7}`:                             client.Int(7),
		`{"bool_val":false}`:                        client.Bool(false),
		`{"date_val":"2018-10-01"}`:                 client.Date("2018-10-01"),
		`{"float_vals":[0.5]}`:                      client.Numbers(0.5),
		`{"int_vals":[1,2]}`:                        client.Ints(1, 2),
		`{"feature_name":"x","predicate":"IsNull"}`: client.Filter{Feature: "x", Predicate: client.IsNull},
		`{"sampling_function":"RANDOM","random_sampling":{"fraction":0.2,"seed":7}}`:                   client.AtRandom(client.RandomSample{Fraction: 0.2, Seed: 7}),
		`{"sampling_function":"HASH","hash_sampling":{"fraction":0.1,"column":"tail","salt":"s"}}`:     client.ByHash(client.HashSample{Fraction: 0.1, Column: "tail", Salt: "s"}),
		`{"sampling_function":"STRATIFIED","stratified_sampling":{"fraction":0.1,"column":"carrier"}}`: client.Stratified(client.StratifiedSample{Fraction: 0.1, Column: "carrier"}),
		`{"sampling_function":"DATE_RANGE","date_range_sampling":{"last":"36h"}}`:                      client.ByDate(client.DateRange{Last: "36h"}),
	} {
		same(t, asJSON(have), want)
	}
}
