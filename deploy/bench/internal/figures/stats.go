package figures

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Quantile returns the value at q, from 0 to 1, by the nearest rank; 0 for no values.
func Quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(max(int(math.Ceil(q*float64(len(sorted))))-1, 0), len(sorted)-1)]
}

// Median returns the middle value, or the mean of the two in the middle; 0 for no values.
func Median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Millis is d in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Series collects values by name, one of each round or request.
type Series map[string][]float64

// Add appends a value to the series name.
func (s Series) Add(name string, v float64) { s[name] = append(s[name], v) }

// Medians returns the median of every series.
func (s Series) Medians() map[string]float64 {
	out := map[string]float64{}
	for name, values := range s {
		out[name] = Median(values)
	}
	return out
}

// Mebibytes is a size for the table.
func Mebibytes(bytes float64) string { return fmt.Sprintf("%.0f MiB", bytes/(1<<20)) }
