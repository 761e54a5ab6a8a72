package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// The words of a search.
const (
	GoalMaximize = "maximize"
	GoalMinimize = "minimize"

	AlgorithmRandom = "random" // every trial runs to its end
	AlgorithmASHA   = "asha"   // trials that are behind others at a rung are stopped there

	ParameterInteger = "integer"
	ParameterNumber  = "number"
	ParameterChoice  = "choice"

	ScaleLinear = "linear"
	ScaleLog    = "log"
)

// Bounds of a search.
const (
	MaxSearch     = 64 << 10 // bytes of the document
	MaxTrials     = 500
	MaxTrialsOnce = 100 // at once
	maxParameters = 100
	maxChoices    = 1000
	// maxInteger keeps integers exact in every JSON reader.
	maxInteger  = 1 << 53
	maxRungStep = 1 << 40
)

// Search says what a sweep tries and what it prefers. ParseSearch reads it.
type Search struct {
	Metric    string `json:"metric"`    // a series of the job, or a figure that it has at its end
	Goal      string `json:"goal"`      // maximize or minimize
	Algorithm string `json:"algorithm"` // random or asha
	Seed      int64  `json:"seed"`      // the same seed draws the same trials
	Trials    int    `json:"trials"`    // in all
	Parallel  int    `json:"parallel"`  // at once
	// MaxSeconds bounds the sum of what the trials have run; 0 means that nothing does.
	MaxSeconds float64              `json:"max_seconds,omitempty"`
	Parameters map[string]Parameter `json:"parameters"` // by the member of custom_params
	ASHA       *ASHA                `json:"asha,omitempty"`
}

// Parameter is what one member of custom_params may be.
type Parameter struct {
	Type   string            `json:"type"`
	Min    *float64          `json:"min,omitempty"` // of integers and numbers, like Max: both are drawn, too
	Max    *float64          `json:"max,omitempty"`
	Scale  string            `json:"scale,omitempty"` // linear unless it says log
	Values []json.RawMessage `json:"values,omitempty"`
}

// ASHA is asynchronous successive halving: rungs stand at MinStep·Reduction^k, below MaxStep.
type ASHA struct {
	MinStep   int64 `json:"min_step"`
	MaxStep   int64 `json:"max_step"`
	Reduction int64 `json:"reduction"` // one in so many goes on
}

// Rungs are the steps at which trials are compared, in order. At MaxStep there is nothing left to save.
func (a ASHA) Rungs() []int64 {
	var out []int64
	for at := a.MinStep; at < a.MaxStep; at *= a.Reduction {
		out = append(out, at)
	}
	return out
}

// Better reports whether a is better than b.
func (s Search) Better(a, b float64) bool {
	if s.Goal == GoalMinimize {
		return a < b
	}
	return a > b
}

// ParseSearch reads a search and fills in what it leaves out. Every fault is reported, with its JSON pointer.
func ParseSearch(b json.RawMessage) (Search, error) {
	var s Search
	var fs manifest.FaultList
	if err := manifest.Decode(b, MaxSearch, &s); err != nil {
		fs.Nested("", err)
		// What can be read is judged all the same, unless there is no document.
		var wrong *json.UnmarshalTypeError
		if again := json.Unmarshal(b, &s); again != nil && !errors.As(again, &wrong) || slices.ContainsFunc(manifest.Faults(err), whole) {
			return Search{}, fs.Join()
		}
	}
	if s.Algorithm == "" {
		s.Algorithm = AlgorithmRandom
	}
	if s.Parallel == 0 {
		s.Parallel = 1
	}
	if s.ASHA != nil && s.ASHA.Reduction == 0 {
		s.ASHA.Reduction = 3
	}
	read := len(fs)
	s.check(&fs)
	if err := unlessFaulted(fs, read); err != nil {
		return Search{}, err
	}
	for name, p := range s.Parameters {
		if p.Type != ParameterChoice && p.Scale == "" {
			p.Scale = ScaleLinear
			s.Parameters[name] = p
		}
	}
	return s, nil
}

func whole(f *manifest.Fault) bool { return f.Path == "" }

// unlessFaulted leaves of the faults behind the first n only those of members that are not among these.
func unlessFaulted(fs manifest.FaultList, n int) error {
	out := slices.Clone(fs[:n])
	first := manifest.Faults(out.Join())
	for _, f := range manifest.Faults(errors.Join(fs[n:]...)) {
		if !slices.ContainsFunc(first, func(g *manifest.Fault) bool {
			return f.Path == g.Path || strings.HasPrefix(f.Path, g.Path+"/") || strings.HasPrefix(g.Path, f.Path+"/")
		}) {
			out = append(out, f)
		}
	}
	return out.Join()
}

// metricName is the name of a figure, as jobs may send it.
var metricName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

func oneWord(fs *manifest.FaultList, at, have string, words ...string) {
	fs.Check(slices.Contains(words, have), at, "%.100q: want %s", have, strings.Join(words, " or "))
}

func (s Search) check(fs *manifest.FaultList) {
	fs.Check(metricName.MatchString(s.Metric), "/metric", "name the figure to go by: 1 to 100 letters, digits, dots, dashes and underscores")
	oneWord(fs, "/goal", s.Goal, GoalMaximize, GoalMinimize)
	oneWord(fs, "/algorithm", s.Algorithm, AlgorithmRandom, AlgorithmASHA)
	fs.Check(s.Seed >= 0 && s.Seed <= maxInteger, "/seed", "want 0 to 2^53")
	fs.Check(s.Trials >= 1 && s.Trials <= MaxTrials, "/trials", "want 1 to %d", MaxTrials)
	fs.Check(s.Parallel >= 1 && s.Parallel <= MaxTrialsOnce, "/parallel", "want 1 to %d", MaxTrialsOnce)
	fs.Check(s.MaxSeconds >= 0, "/max_seconds", "is negative")
	fs.Check(len(s.Parameters) >= 1 && len(s.Parameters) <= maxParameters, "/parameters", "want 1 to %d parameters", maxParameters)
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		at := "/parameters/" + manifest.Escape(name)
		fs.Check(name != "" && len(name) <= 255 && !strings.ContainsRune(name, 0), at, "want a name of 1 to 255 bytes, without U+0000")
		s.Parameters[name].check(fs, at)
	}
	switch {
	case s.Algorithm == AlgorithmASHA && s.ASHA == nil:
		fs.Add("/asha", `is missing: say such as {"min_step":1,"max_step":81,"reduction":3}`)
	case s.Algorithm == AlgorithmRandom && s.ASHA != nil:
		fs.Add("/asha", "is there, but the algorithm is random: write asha for algorithm, or leave it out")
	case s.ASHA != nil:
		s.ASHA.check(fs)
	}
}

func (a ASHA) check(fs *manifest.FaultList) {
	fs.Check(a.MinStep >= 1 && a.MinStep <= maxRungStep, "/asha/min_step", "want 1 or more")
	fs.Check(a.MaxStep > a.MinStep && a.MaxStep <= maxRungStep, "/asha/max_step", "want more than min_step, and at most 2^40")
	fs.Check(a.Reduction >= 2 && a.Reduction <= 100, "/asha/reduction", "want 2 to 100")
}

func (p Parameter) check(fs *manifest.FaultList, at string) {
	switch p.Type {
	case ParameterInteger, ParameterNumber:
		p.checkRange(fs, at)
	case ParameterChoice:
		fs.Check(p.Min == nil, at+"/min", "a choice has values only")
		fs.Check(p.Max == nil, at+"/max", "a choice has values only")
		fs.Check(p.Scale == "", at+"/scale", "a choice has values only")
		fs.Check(len(p.Values) >= 1 && len(p.Values) <= maxChoices, at+"/values", "want 1 to %d values", maxChoices)
		seen := map[string]bool{}
		for i, v := range p.Values {
			text, err := manifest.Canonical(v)
			fs.Err(at+"/values/"+strconv.Itoa(i), err)
			fs.Check(!seen[string(text)], at+"/values/"+strconv.Itoa(i), "is there twice")
			fs.Check(!bytes.Contains(text, []byte(`\u0000`)), at+"/values/"+strconv.Itoa(i), "holds U+0000, which no text here may")
			seen[string(text)] = true
		}
	default:
		oneWord(fs, at+"/type", p.Type, ParameterInteger, ParameterNumber, ParameterChoice)
	}
}

func (p Parameter) checkRange(fs *manifest.FaultList, at string) {
	fs.Check(p.Values == nil, at+"/values", "only a choice has values")
	if p.Scale != "" {
		oneWord(fs, at+"/scale", p.Scale, ScaleLinear, ScaleLog)
	}
	for name, v := range map[string]*float64{"/min": p.Min, "/max": p.Max} {
		switch {
		case v == nil:
			fs.Add(at+name, "is missing")
		case p.Type == ParameterInteger && (*v != math.Trunc(*v) || math.Abs(*v) > maxInteger):
			fs.Add(at+name, "want an integer between -2^53 and 2^53")
		case p.Scale == ScaleLog && *v <= 0:
			fs.Add(at+name, "a log scale needs more than 0")
		case math.Abs(*v) > math.MaxFloat64/4:
			fs.Add(at+name, "is too large")
		}
	}
	if p.Min != nil && p.Max != nil {
		fs.Check(*p.Min < *p.Max, at+"/max", "is not more than min")
	}
}
