// Package trees is the native engine for gradient-boosted trees and forests. It reads the text that LightGBM writes and
// the JSON that XGBoost writes, and answers what those libraries answer, to the last bit of every sum. What it cannot
// reproduce it refuses to load.
package trees

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// MaxModelBytes bounds a model file: a forest takes about as much memory as its text.
const MaxModelBytes = 2 << 30

// Runtime loads forests. The zero value is ready to use.
type Runtime struct{}

// Load reads the model file that sig names in dir. runtime.ErrUnsupported says that the engine cannot reproduce it.
func (Runtime) Load(ctx context.Context, dir string, sig manifest.Signature) (runtime.Model, error) {
	read := readLightGBM
	switch sig.Format {
	case manifest.FormatLightGBM:
	case manifest.FormatXGBoost:
		read = readXGBoost
	default:
		return nil, fmt.Errorf("load %s: format %q: %w", clip(sig.Model), clip(sig.Format), runtime.ErrUnsupported)
	}
	file, err := readFile(dir, sig.Model)
	if err != nil {
		return nil, err
	}
	m, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", clip(sig.Model), err)
	}
	if err := fits(m, sig); err != nil {
		return nil, fmt.Errorf("load %s: %w", clip(sig.Model), err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &Model{forest: m.forest}, nil
}

// readFile reads a file of a package. The name comes from the package, so it must not lead out of dir.
func readFile(dir, name string) ([]byte, error) {
	f, err := os.OpenInRoot(dir, filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxModelBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	if len(b) > MaxModelBytes {
		return nil, fmt.Errorf("model of more than %d bytes: %w", MaxModelBytes, runtime.ErrUnsupported)
	}
	return b, nil
}

// fits compares a model with the signature of its package: the same columns, in the same order, with the same codes.
func fits(m imported, sig manifest.Signature) error {
	if len(sig.Inputs) != m.forest.features {
		return fmt.Errorf("the model has %d features, the signature %d inputs: %w", m.forest.features, len(sig.Inputs), errMalformed)
	}
	if len(sig.Outputs) != m.forest.classes {
		return fmt.Errorf("the model has %d outputs, the signature %d: %w", m.forest.classes, len(sig.Outputs), errMalformed)
	}
	var categories [][]string
	for i, c := range sig.Inputs {
		if c.Type == manifest.String && len(c.Categories) == 0 {
			return fmt.Errorf("input %s is free text: %w", clip(c.Name), runtime.ErrUnsupported)
		}
		if len(c.Categories) > 0 {
			categories = append(categories, c.Categories)
		}
		if i < len(m.names) && !sameName(m.names[i], c.Name, i) {
			return fmt.Errorf("feature %d is %q in the model and %q in the signature: %w", i, clip(m.names[i]), clip(c.Name), errMalformed)
		}
	}
	if len(m.categories) > 0 && !slices.EqualFunc(m.categories, categories, slices.Equal) {
		return fmt.Errorf("the model's categories are not the signature's: %w", errMalformed)
	}
	return nil
}

// sameName allows for what LightGBM does to names: it makes them up where the data has none, and blanks become "_".
func sameName(model, column string, at int) bool {
	return model == column || model == fmt.Sprintf("Column_%d", at) || model == fmt.Sprintf("f%d", at) ||
		model == strings.Join(strings.Fields(column), "_")
}

// Model is a loaded forest.
type Model struct{ forest *forest }

// Predict returns the model's outputs: probabilities for classifiers, the value for regressions.
func (m *Model) Predict(ctx context.Context, in runtime.Batch) (runtime.Batch, error) {
	f := m.forest
	if in.Width != f.features || len(in.Values) != in.Rows*in.Width {
		return runtime.Batch{}, fmt.Errorf("predict: %d columns, want %d: %w", in.Width, f.features, runtime.ErrWidth)
	}
	out := runtime.Batch{Rows: in.Rows, Width: f.classes, Values: make([]float64, in.Rows*f.classes)}
	for from := 0; from < in.Rows; from += block {
		if err := ctx.Err(); err != nil {
			return runtime.Batch{}, err
		}
		to := min(from+block, in.Rows)
		f.predict(in.Values[from*in.Width:to*in.Width], out.Values[from*f.classes:to*f.classes], to-from)
		for i := from; i < to; i++ {
			f.finish(out.Row(i))
		}
	}
	return out, nil
}

// Close has nothing to give back: the collector frees the forest once the last prediction is done.
func (*Model) Close() error { return nil }
