package client

// Goal says which value of a search's metric is the better one.
type Goal string

// The goals.
const (
	Maximize Goal = "maximize"
	Minimize Goal = "minimize"
)

// Algorithm says which trials of a search run to their end.
type Algorithm string

// The algorithms. Random lets every trial run to its end; Halving, which the API calls asha, stops those that are behind.
const (
	Random  Algorithm = "random"
	Halving Algorithm = "asha"
)

// Search says what a sweep tries, and what it prefers.
type Search struct {
	// Metric is a series that the job logs, by its last value; else a figure that it has at its end, such as holdout_auc.
	Metric string `json:"metric"`
	Goal   Goal   `json:"goal"`
	// Algorithm "" means Random.
	Algorithm Algorithm `json:"algorithm,omitempty"`
	// Seed draws the trials: the same seed the same ones.
	Seed   int64 `json:"seed,omitempty"`
	Trials int   `json:"trials"` // in all
	// Parallel is how many trials run at once; 0 means 1.
	Parallel int `json:"parallel,omitempty"`
	// MaxSeconds bounds the sum of what the trials run; 0 means that nothing does.
	MaxSeconds float64 `json:"max_seconds,omitempty"`
	// Parameters are what is drawn for each trial, by the member of CustomParams that each of them sets.
	Parameters map[string]Parameter `json:"parameters"`
	// Rungs say where Halving compares; only with it.
	Rungs *Rungs `json:"asha,omitempty"`
}

// Rungs are the steps at which trials are compared: First, First·Reduction and so on below Last.
type Rungs struct {
	First int64 `json:"min_step"`
	Last  int64 `json:"max_step"` // steps of a whole trial
	// Reduction says that one trial in so many goes on; 0 means 3.
	Reduction int64 `json:"reduction,omitempty"`
}

// Parameter is what one member of CustomParams may be. Integers, Floats and Choice make it.
type Parameter struct {
	Type   string   `json:"type"`
	Min    *float64 `json:"min,omitempty"` // of a range, like Max: both are drawn, too
	Max    *float64 `json:"max,omitempty"`
	Scale  string   `json:"scale,omitempty"`  // linear unless it says log
	Values []any    `json:"values,omitempty"` // of a choice
}

// Integers is a range of integers, ends included. Integers beyond 2^53 are refused by the server.
func Integers(least, most int64) Parameter {
	low, high := float64(least), float64(most)
	return Parameter{Type: "integer", Min: &low, Max: &high}
}

// Floats is a range of numbers, ends included.
func Floats(least, most float64) Parameter {
	return Parameter{Type: "number", Min: &least, Max: &most}
}

// Choice is one of some values, each of them any JSON.
func Choice(values ...any) Parameter { return Parameter{Type: "choice", Values: values} }

// Log draws every order of magnitude of a range as often.
func (p Parameter) Log() Parameter {
	p.Scale = "log"
	return p
}
