package manifest

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
)

func validSignature() Signature {
	return Signature{
		Runtime: RuntimeTrees, Format: FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl", Tolerance: 1e-9,
		Inputs:  []Column{{Name: "a", Type: Number, Nullable: true}, {Name: "b", Type: String, Categories: []string{"x", "y", ""}}},
		Outputs: []Column{{Name: "p", Type: Number}},
	}
}

func signatureJSON(t testing.TB, change func(*Signature)) []byte {
	t.Helper()
	s := validSignature()
	change(&s)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeSignature(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Signature)
		want   string // "" means valid
	}{
		{"valid", func(*Signature) {}, ""},
		{"xgboost", func(s *Signature) { s.Format = FormatXGBoost }, ""},
		{"python", func(s *Signature) { s.Runtime, s.Format = RuntimePython, FormatPickle }, ""},
		{"model in a folder", func(s *Signature) { s.Model = "weights/model.txt" }, ""},
		{"pickle on trees", func(s *Signature) { s.Format = FormatPickle }, "/format"},
		{"trees on python", func(s *Signature) { s.Runtime = RuntimePython }, "/format"},
		{"no runtime", func(s *Signature) { s.Runtime = "" }, "/runtime"},
		{"no model", func(s *Signature) { s.Model = "" }, "/model"},
		{"absolute model", func(s *Signature) { s.Model = "/etc/passwd" }, "/model"},
		{"model outside", func(s *Signature) { s.Model = "../model.txt" }, "/model"},
		{"model is the signature", func(s *Signature) { s.Model = SignatureFile }, "/model"},
		{"no golden rows", func(s *Signature) { s.Golden = "" }, "/golden"},
		{"golden is the model", func(s *Signature) { s.Golden = s.Model }, "/golden"},
		{"negative tolerance", func(s *Signature) { s.Tolerance = -1 }, "/tolerance"},
		{"no inputs", func(s *Signature) { s.Inputs = []Column{} }, "/inputs"},
		{"no outputs", func(s *Signature) { s.Outputs = []Column{} }, "/outputs"},
		{"input twice", func(s *Signature) { s.Inputs[1].Name = "a" }, "/inputs/1/name"},
		{"input without name", func(s *Signature) { s.Inputs[0].Name = "" }, "/inputs/0/name"},
		{"unknown type", func(s *Signature) { s.Inputs[0].Type = "float" }, "/inputs/0/type"},
		{"timestamp", func(s *Signature) { s.Inputs[0].Type = Timestamp }, "/inputs/0/type"},
		{"categories of a number", func(s *Signature) { s.Inputs[0].Categories = []string{"1"} }, "/inputs/0/categories"},
		{"category twice", func(s *Signature) { s.Inputs[1].Categories = []string{"x", "y", "x"} }, "/inputs/1/categories/2"},
	} {
		_, err := DecodeSignature(signatureJSON(t, tc.change))
		var f *Fault
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.want != "" && (!errors.As(err, &f) || !errors.Is(err, ErrInvalid) || f.Path != tc.want):
			t.Errorf("%s: %v, want a fault at %s", tc.name, err, tc.want)
		}
	}
	s := validSignature()
	s.Runtime, s.Model, s.Tolerance = "", "", math.NaN()
	if err := s.Validate(); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("three faults are reported as %v", err)
	}
}

func TestSignatureColumns(t *testing.T) {
	s := validSignature()
	if i, ok := s.Input("b"); !ok || i != 1 {
		t.Errorf("Input(b) = %d, %v", i, ok)
	}
	if _, ok := s.Input("p"); ok {
		t.Error("an output is found among the inputs")
	}
	if _, ok := s.Input(""); ok {
		t.Error("an input without name is found")
	}
	if i, ok := s.Output(""); !ok || i != 0 {
		t.Errorf("the first output = %d, %v", i, ok)
	}
	if _, ok := s.Output("q"); ok {
		t.Error("an unknown output is found")
	}
}
