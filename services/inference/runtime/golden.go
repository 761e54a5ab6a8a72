package runtime

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// ErrGolden reports a model that does not answer its golden rows as training did.
var ErrGolden = errors.New("model does not reproduce its golden rows")

// CheckGolden reads golden rows, one {"input": {...}, "output": {...}} a line, and wants m to answer each within the
// signature's tolerance, both in one batch and one by one. No rows are an error: nothing was checked.
func CheckGolden(ctx context.Context, m Model, sig manifest.Signature, golden io.Reader) error {
	if !(sig.Tolerance >= 0) {
		return fmt.Errorf("tolerance %v: %w", sig.Tolerance, ErrSchema)
	}
	in, want, err := readGolden(sig, golden)
	if err != nil {
		return fmt.Errorf("golden rows: %w", err)
	}
	got, err := m.Predict(ctx, in.Batch)
	if err != nil {
		return fmt.Errorf("golden rows: %w", err)
	}
	if err := compareGolden(sig, got, want.Batch, 0); err != nil {
		return err
	}
	const singly = 8
	for i := range min(in.Rows, singly) {
		got, err := m.Predict(ctx, in.slice(i))
		if err != nil {
			return fmt.Errorf("golden row %d alone: %w", i, err)
		}
		if err := compareGolden(sig, got, want.slice(i), i); err != nil {
			return fmt.Errorf("alone: %w", err)
		}
	}
	return nil
}

// slice is row i as a batch of its own.
func (b Batch) slice(i int) Batch {
	one := Batch{Rows: 1, Width: b.Width, Values: b.Row(i)}
	if len(b.Text) > 0 {
		one.Text = b.Text[i*b.Width : (i+1)*b.Width]
	}
	return one
}

func readGolden(sig manifest.Signature, golden io.Reader) (in, want Rows, err error) {
	inputs, err := NewColumns(sig.Inputs)
	if err != nil {
		return in, want, err
	}
	outputs, err := NewColumns(sig.Outputs)
	if err != nil {
		return in, want, err
	}
	lines := bufio.NewScanner(golden)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var pair struct{ Input, Output json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &pair); err != nil {
			return in, want, fmt.Errorf("line %d: %w", n, err)
		}
		if err := inputs.DecodeRow(pair.Input, &in); err != nil {
			return in, want, fmt.Errorf("line %d: input: %w", n, err)
		}
		if err := outputs.DecodeRow(pair.Output, &want); err != nil {
			return in, want, fmt.Errorf("line %d: output: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return in, want, err
	}
	if in.Rows == 0 {
		return in, want, fmt.Errorf("there are none: %w", ErrGolden)
	}
	return in, want, nil
}

// compareGolden compares answers; first is the number of the first row.
func compareGolden(sig manifest.Signature, got, want Batch, first int) error {
	if got.Rows != want.Rows || got.Width != want.Width || len(got.Values) != len(want.Values) {
		return fmt.Errorf("%d x %d answers, want %d x %d: %w", got.Rows, got.Width, want.Rows, want.Width, ErrGolden)
	}
	for i, w := range want.Values {
		g := got.Values[i]
		same := g == w || math.IsNaN(g) && math.IsNaN(w) || math.Abs(g-w) <= sig.Tolerance
		if same && len(want.Text) > 0 {
			same = len(got.Text) == len(want.Text) && got.Text[i] == want.Text[i]
		}
		if !same {
			return fmt.Errorf("row %d, %s: got %v, want %v, tolerance %v: %w",
				first+i/want.Width, sig.Outputs[i%want.Width].Name, g, w, sig.Tolerance, ErrGolden)
		}
	}
	return nil
}
