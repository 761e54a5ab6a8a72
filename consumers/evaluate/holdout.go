package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Artifacts of a run that an evaluation reads.
const (
	holdoutFile = registry.ArtifactHoldout
	labelsFile  = registry.ArtifactLabels
	scoresFile  = registry.ArtifactScores
)

// Holdout is what a run left to be judged by, one entry a row in every list.
type Holdout struct {
	Digest cas.Digest // of holdout.jsonl
	Rows   [][]byte   // JSON objects: rows of a predict request, with every other column of the data beside the inputs
	Labels []bool
	Scores []float64 // as training computed them
}

// parseHoldout reads holdout.jsonl, and the tables "row<TAB>label" and "row<TAB>score" that have each of its rows once.
func parseHoldout(rows, labels, scores []byte) (Holdout, error) {
	h := Holdout{Digest: cas.Sum(rows)}
	var err error
	if h.Rows, err = lines(rows); err != nil {
		return Holdout{}, fmt.Errorf("%s: %w", holdoutFile, err)
	}
	truth, err := parseTSV(labels, "label", len(h.Rows))
	if err != nil {
		return Holdout{}, fmt.Errorf("%s: %w", labelsFile, err)
	}
	for i, v := range truth {
		if v != 0 && v != 1 {
			return Holdout{}, fmt.Errorf("%s: row %d has the label %v: want 0 or 1", labelsFile, i, v)
		}
		h.Labels = append(h.Labels, v == 1)
	}
	if h.Scores, err = parseTSV(scores, "score", len(h.Rows)); err != nil {
		return Holdout{}, fmt.Errorf("%s: %w", scoresFile, err)
	}
	return h, nil
}

// lines splits JSON lines, each of them an object.
func lines(b []byte) ([][]byte, error) {
	b = bytes.TrimSuffix(b, []byte("\n"))
	if len(b) == 0 {
		return nil, errors.New("there are no rows")
	}
	out := bytes.Split(b, []byte("\n"))
	for i, l := range out {
		if l = bytes.TrimSpace(l); len(l) == 0 || l[0] != '{' || !json.Valid(l) {
			return nil, fmt.Errorf("line %d is no JSON object", i)
		}
	}
	return out, nil
}

// parseTSV reads a table with a header and each of the rows 0 to rows-1 once, in any order.
func parseTSV(b []byte, column string, rows int) ([]float64, error) {
	first, rest, _ := bytes.Cut(b, []byte("\n"))
	if want := "row\t" + column; string(bytes.TrimSuffix(first, []byte("\r"))) != want {
		return nil, fmt.Errorf("the header is %.40q: want %q", first, want)
	}
	out, seen, n := make([]float64, rows), make([]bool, rows), 0
	for line := range bytes.Lines(rest) {
		line = bytes.TrimRight(line, "\r\n")
		at, text, ok := bytes.Cut(line, []byte("\t"))
		row, err1 := strconv.Atoi(string(at))
		v, err2 := strconv.ParseFloat(string(text), 64)
		if !ok || err1 != nil || err2 != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("line %.60q: want a row and a number, separated by a tab", line)
		}
		if row < 0 || row >= rows || seen[row] {
			return nil, fmt.Errorf("row %d is there twice or is none of the %d rows of the holdout", row, rows)
		}
		out[row], seen[row] = v, true
		n++
	}
	if n != rows {
		return nil, fmt.Errorf("%d rows: the holdout has %d", n, rows)
	}
	return out, nil
}

// member returns a member of a row, nil where it is null or missing.
func member(row []byte, name string) (any, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(row, &m); err != nil {
		return nil, err
	}
	var v any
	if m[name] == nil {
		return nil, nil
	}
	err := json.Unmarshal(m[name], &v)
	return v, err
}

// baseline returns a column as scores: booleans are 0 and 1, a row without a value ranks below all others. A column of
// text cannot rank, and one that no row has gives nil.
func baseline(h Holdout, column string) ([]float64, error) {
	out := make([]float64, len(h.Rows))
	there := false
	for i, row := range h.Rows {
		v, err := member(row, column)
		if err != nil {
			return nil, err
		}
		there = there || v != nil
		switch x := v.(type) {
		case nil:
			out[i] = math.Inf(-1)
		case float64:
			out[i] = x
		case bool:
			if x {
				out[i] = 1
			}
		default:
			return nil, fmt.Errorf("row %d: the baseline %s is neither a number nor a boolean", i, column)
		}
	}
	if !there {
		return nil, nil
	}
	return out, nil
}
