package generate

import (
	"context"
	"fmt"

	"github.com/signalbox-ml/signalbox/consumers/generate/compile"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// Engine runs a compiled plan. The same request gives the same bytes, whatever Threads and Memory are. Errors that
// matter to the spec's author are *EngineError.
type Engine interface {
	Build(ctx context.Context, r Request) (Result, error)
}

// Request asks for one dataset.
type Request struct {
	Plan compile.Plan `json:"plan"`
	// Dir is an empty directory for the parts; beside the plan's inputs it is all that the SQL can reach.
	Dir     string `json:"dir"`
	Temp    string `json:"temp"`    // directory for what does not fit into memory
	Memory  int64  `json:"memory"`  // bytes; the process may need half as much again
	Threads int    `json:"threads"` // 0: one per core
}

// Result is what a build left behind.
type Result struct {
	Parts   []Part            `json:"parts"`
	Columns []manifest.Column `json:"columns"`
	Checks  Checks            `json:"checks"`
}

// Part is a Parquet file in Request.Dir.
type Part struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Rows  int64  `json:"rows"`
}

// Checks are the figures that say whether a dataset can be trusted.
type Checks struct {
	Rows      int64 `json:"rows"`
	SpineRows int64 `json:"spine_rows"` // events of the window, with and without label
	Labelled  int64 `json:"labelled"`   // of them, those whose label arrived within its maturity
	NullLabel int64 `json:"null_label"` // labelled with null, and left out for it
	// Nulls counts the nulls of every column.
	Nulls map[string]int64 `json:"nulls"`
	// CastFailures counts values that do not have the declared type and became null, by source.field.
	CastFailures map[string]int64 `json:"cast_failures,omitempty"`
	// Lead is, by feature, the µs by which a value was known before its row's time, at worst, as a number <= 0.
	Lead map[string]int64 `json:"lead_us,omitempty"`
}

// LabelCoverage is the share of the window's events that have a label, 0 to 1.
func (c Checks) LabelCoverage() float64 { return share(c.Labelled-c.NullLabel, c.SpineRows) }

// NullShare is the share of rows that have no value in column, 0 to 1.
func (c Checks) NullShare(column string) float64 { return share(c.Nulls[column], c.Rows) }

func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Kinds of engine errors.
const (
	KindSpec     = "spec"     // the spec's SQL does not fit its data: mend the spec
	KindLeak     = "leak"     // a feature was not known yet at its row's time: a fault of the compiler
	KindMemory   = "memory"   // the limit is too low for this dataset
	KindInternal = "internal" // anything else
)

// EngineError is a build that failed, in words for the spec's author.
type EngineError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Error implements error.
func (e *EngineError) Error() string { return fmt.Sprintf("%s: %s", e.Kind, e.Message) }

// Reply is what an engine's process writes to standard output: one of both.
type Reply struct {
	Result *Result      `json:"result,omitempty"`
	Error  *EngineError `json:"error,omitempty"`
}
