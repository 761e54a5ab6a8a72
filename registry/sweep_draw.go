package registry

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Draw returns the parameters of the n-th trial, from 1: a pure function of the seed, n and each parameter's name, so that
// whoever takes a sweep over goes on with the same trials. No two parameters depend on each other.
func (s Search) Draw(n int) map[string]json.RawMessage {
	out := make(map[string]json.RawMessage, len(s.Parameters))
	for name, p := range s.Parameters {
		out[name] = p.at(uniform(s.Seed, n, name))
	}
	return out
}

// uniform is in [0, 1). A hash, because no version of a library's generator changes it.
func uniform(seed int64, n int, name string) float64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "signalbox sweep 1\n%d\n%d\n%s", seed, n, name))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53)
}

// at is the value at the fraction u of what p may be.
func (p Parameter) at(u float64) json.RawMessage {
	switch p.Type {
	case ParameterChoice:
		return p.Values[min(int(u*float64(len(p.Values))), len(p.Values)-1)]
	case ParameterInteger:
		// The range ends behind max, so that max is as likely as any other.
		v := min(math.Floor(p.between(u, *p.Min, *p.Max+1)), *p.Max)
		return strconv.AppendInt(nil, int64(max(v, *p.Min)), 10)
	}
	// Nobody needs 17 digits to read, and processors differ in the last ones of a logarithm.
	text := strconv.FormatFloat(p.between(u, *p.Min, *p.Max), 'g', 9, 64)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		v = *p.Min // out of reach: the text is a float's own
	}
	v = min(max(v, *p.Min), *p.Max)
	if math.Abs(v) > maxInteger {
		return strconv.AppendFloat(nil, v, 'e', -1, 64) // digits alone would be an integer that JSON readers do not keep
	}
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null") // out of reach: ranges are finite
	}
	return b
}

func (p Parameter) between(u, lo, hi float64) float64 {
	if p.Scale != ScaleLog {
		return lo + float64(u*(hi-lo))
	}
	a, b := math.Log(lo), math.Log(hi)
	return math.Exp(a + float64(u*(b-a)))
}

// errNotRequest reports a request that is no object where it must be one.
var errNotRequest = errors.New("train or custom_params of the request is no object")

// overlay replaces members of a request's custom_params and leaves everything else.
func overlay(request json.RawMessage, params map[string]json.RawMessage) (json.RawMessage, error) {
	var top, train map[string]json.RawMessage
	custom := map[string]json.RawMessage{}
	if err := json.Unmarshal(request, &top); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(top["train"], &train); err != nil || train == nil {
		return nil, errors.Join(errNotRequest, err)
	}
	if b, ok := train["custom_params"]; ok {
		if err := json.Unmarshal(b, &custom); err != nil {
			return nil, errors.Join(errNotRequest, err)
		}
	}
	if custom == nil { // null
		custom = map[string]json.RawMessage{}
	}
	for name, v := range params {
		custom[name] = v
	}
	var err error
	if train["custom_params"], err = json.Marshal(custom); err != nil {
		return nil, err
	}
	if top["train"], err = json.Marshal(train); err != nil {
		return nil, err
	}
	return json.Marshal(top)
}

// Params are the members of a trial's custom_params that the search chose, as the trial's request has them.
func (s Search) Params(request json.RawMessage) (map[string]json.RawMessage, error) {
	var q struct {
		Train struct {
			Custom map[string]json.RawMessage `json:"custom_params"`
		} `json:"train"`
	}
	if err := json.Unmarshal(request, &q); err != nil {
		return nil, err
	}
	out := make(map[string]json.RawMessage, len(s.Parameters))
	for name := range s.Parameters {
		if v, ok := q.Train.Custom[name]; ok {
			out[name] = v
		}
	}
	return out, nil
}
