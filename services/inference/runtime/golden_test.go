package runtime_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// doubler answers twice its first input, NaN for a gap.
type doubler struct{ off float64 }

func (d doubler) Predict(_ context.Context, in runtime.Batch) (runtime.Batch, error) {
	out := runtime.Batch{Rows: in.Rows, Width: 1}
	for i := range in.Rows {
		out.Values = append(out.Values, 2*in.Row(i)[0]+d.off)
	}
	return out, nil
}

func (doubler) Close() error { return nil }

func TestCheckGolden(t *testing.T) {
	sig := manifest.Signature{
		Inputs:    []manifest.Column{{Name: "x", Type: manifest.Number, Nullable: true}},
		Outputs:   []manifest.Column{{Name: "y", Type: manifest.Number, Nullable: true}},
		Tolerance: 1e-6,
	}
	const rows = `{"input":{"x":1},"output":{"y":2}}` + "\n" + `{"input":{"x":null},"output":{"y":null}}` + "\n\n"
	for _, c := range []struct {
		name, rows string
		off        float64
		tolerance  float64
		want       error
	}{
		{"same", rows, 0, 0, nil},
		{"within", rows, 1e-7, 1e-6, nil},
		{"beyond", rows, 1e-5, 1e-6, runtime.ErrGolden},
		{"a number for a gap", `{"input":{"x":null},"output":{"y":2}}`, 0, 1e9, runtime.ErrGolden},
		{"a gap for a number", `{"input":{"x":1},"output":{"y":null}}`, 0, 1e9, runtime.ErrGolden},
		{"none", "\n", 0, 0, runtime.ErrGolden},
		{"no tolerance at all", rows, 0, math.NaN(), runtime.ErrSchema},
		{"no output", `{"input":{"x":1}}`, 0, 0, runtime.ErrSyntax},
	} {
		t.Run(c.name, func(t *testing.T) {
			sig.Tolerance = c.tolerance
			err := runtime.CheckGolden(t.Context(), doubler{c.off}, sig, strings.NewReader(c.rows))
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}
