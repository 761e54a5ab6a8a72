package evaluate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/signalbox-ml/signalbox/events"
)

// Who is compared.
const (
	Candidate = "candidate"
	Champion  = "champion"
	Baseline  = "baseline"
)

// maxSlices bounds the values of one column that get figures of their own: the most frequent ones.
const maxSlices = 50

// noValue stands for rows where a column is null or missing.
const noValue = "(none)"

// figures computes everybody's metrics over some rows. A baseline only ranks, so it has an auc and nothing else.
func figures(h Holdout, scores map[string][]float64, rows []int) map[string]map[string]float64 {
	labels := pick(h.Labels, rows)
	out := map[string]map[string]float64{}
	for who, all := range scores {
		own := pick(all, rows)
		if who != Baseline {
			out[who] = Metrics(own, labels)
			continue
		}
		out[who] = map[string]float64{}
		if v, ok := Area(own, labels); ok {
			out[who][AUC] = v
		}
	}
	return out
}

// sliceBy gives the values of each column figures of their own: columns in the order asked for, values by their rows.
func sliceBy(h Holdout, columns []string, scores map[string][]float64) ([]events.Slice, error) {
	var out []events.Slice
	for _, column := range columns {
		rows := map[string][]int{}
		for i, row := range h.Rows {
			v, err := member(row, column)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", i, err)
			}
			name, err := nameOf(v)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", i, err)
			}
			rows[name] = append(rows[name], i)
		}
		values := slices.SortedFunc(maps.Keys(rows), func(a, b string) int {
			return cmp.Or(len(rows[b])-len(rows[a]), cmp.Compare(a, b))
		})
		for _, v := range values[:min(len(values), maxSlices)] {
			out = append(out, events.Slice{Column: column, Value: v, Rows: int64(len(rows[v])), Metrics: figures(h, scores, rows[v])})
		}
	}
	return out, nil
}

func pick[T any](all []T, rows []int) []T {
	out := make([]T, len(rows))
	for i, r := range rows {
		out[i] = all[r]
	}
	return out
}

// nameOf writes a value of a row as the name of its slice.
func nameOf(v any) (string, error) {
	switch x := v.(type) {
	case nil:
		return noValue, nil
	case string:
		return x, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}
