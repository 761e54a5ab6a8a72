// Package runtimetest is the suite that every model engine passes.
package runtimetest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// Package is a model with at least four different golden rows.
type Package struct {
	Dir       string
	Signature manifest.Signature
}

// Run loads p with rt once for each test.
func Run(t *testing.T, rt runtime.Runtime, p Package) {
	t.Helper()
	in := goldenInputs(t, p)
	for _, c := range []struct {
		name string
		test func(t *testing.T, m runtime.Model, in runtime.Batch)
	}{
		{"the same input gives the same answer", deterministic},
		{"a batch is its rows one by one", batchIsItsRows},
		{"concurrent predictions do not mix", concurrent},
		{"a batch of another width is refused", wrongWidth},
		{"no rows give no answers", noRows},
		{"a cancelled prediction ends", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := load(t, rt, p)
			defer closeModel(t, m)
			c.test(t, m, in)
		})
	}
	t.Run("golden rows are reproduced", func(t *testing.T) {
		m := load(t, rt, p)
		defer closeModel(t, m)
		golden, err := os.ReadFile(filepath.Join(p.Dir, p.Signature.Golden))
		if err != nil {
			t.Fatal(err)
		}
		if err := runtime.CheckGolden(t.Context(), m, p.Signature, bytes.NewReader(golden)); err != nil {
			t.Error(err)
		}
	})
	t.Run("close waits for predictions", func(t *testing.T) { closeWaits(t, load(t, rt, p), in) })
	t.Run("two models live side by side", func(t *testing.T) {
		a, b := load(t, rt, p), load(t, rt, p)
		defer closeModel(t, b)
		closeModel(t, a)
		predict(t, b, in)
	})
	t.Run("a missing file is an error", func(t *testing.T) {
		if m, err := rt.Load(t.Context(), t.TempDir(), p.Signature); err == nil {
			closeModel(t, m)
			t.Error("loaded from an empty directory")
		}
	})
	t.Run("a file outside the package is refused", func(t *testing.T) {
		sig := p.Signature
		sig.Model = "../" + filepath.Base(p.Dir) + "/" + sig.Model
		if m, err := rt.Load(t.Context(), p.Dir, sig); err == nil {
			closeModel(t, m)
			t.Error("loaded through a path that leaves the package")
		}
	})
}

func load(t *testing.T, rt runtime.Runtime, p Package) runtime.Model {
	t.Helper()
	m, err := rt.Load(t.Context(), p.Dir, p.Signature)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func closeModel(t *testing.T, m runtime.Model) {
	t.Helper()
	if err := m.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func goldenInputs(t *testing.T, p Package) runtime.Batch {
	t.Helper()
	f, err := os.Open(filepath.Join(p.Dir, p.Signature.Golden))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	columns, err := runtime.NewColumns(p.Signature.Inputs)
	if err != nil {
		t.Fatal(err)
	}
	var rows runtime.Rows
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var line struct{ Input json.RawMessage }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if err := columns.DecodeRow(line.Input, &rows); err != nil {
			t.Fatal(err)
		}
	}
	if rows.Rows < 4 {
		t.Fatalf("%d golden rows, want at least 4", rows.Rows)
	}
	return rows.Batch
}

func predict(t *testing.T, m runtime.Model, in runtime.Batch) runtime.Batch {
	t.Helper()
	out, err := m.Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if out.Rows != in.Rows || len(out.Values) != out.Rows*out.Width {
		t.Fatalf("%d rows of %d, %d values, for %d rows", out.Rows, out.Width, len(out.Values), in.Rows)
	}
	return out
}

func row(in runtime.Batch, i int) runtime.Batch {
	one := runtime.Batch{Rows: 1, Width: in.Width, Values: in.Row(i)}
	if len(in.Text) > 0 {
		one.Text = in.Text[i*in.Width : (i+1)*in.Width]
	}
	return one
}

// same wants the same bits.
func same(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) && !(math.IsNaN(got[i]) && math.IsNaN(want[i])) {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func deterministic(t *testing.T, m runtime.Model, in runtime.Batch) {
	same(t, "second answer", predict(t, m, in).Values, predict(t, m, in).Values)
}

func batchIsItsRows(t *testing.T, m runtime.Model, in runtime.Batch) {
	all := predict(t, m, in)
	for i := range in.Rows {
		same(t, "row alone", predict(t, m, row(in, i)).Values, all.Row(i))
	}
}

func concurrent(t *testing.T, m runtime.Model, in runtime.Batch) {
	all := predict(t, m, in)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for k := range 30 {
				i := (g*7 + k) % in.Rows
				out, err := m.Predict(t.Context(), row(in, i))
				if err != nil {
					t.Error(err)
					return
				}
				same(t, "concurrent row", out.Values, all.Row(i))
			}
		})
	}
	wg.Wait()
}

func wrongWidth(t *testing.T, m runtime.Model, in runtime.Batch) {
	for _, width := range []int{in.Width - 1, in.Width + 1} {
		b := runtime.Batch{Rows: 1, Width: width, Values: make([]float64, width)}
		if len(in.Text) > 0 {
			b.Text = make([]string, width)
		}
		if _, err := m.Predict(t.Context(), b); !errors.Is(err, runtime.ErrWidth) {
			t.Errorf("width %d: got %v, want ErrWidth", width, err)
		}
	}
	if _, err := m.Predict(t.Context(), runtime.Batch{Rows: 2, Width: in.Width, Values: in.Row(0)}); !errors.Is(err, runtime.ErrWidth) {
		t.Errorf("values missing: got %v, want ErrWidth", err)
	}
	predict(t, m, in) // still alive
}

func noRows(t *testing.T, m runtime.Model, in runtime.Batch) {
	if out := predict(t, m, runtime.Batch{Width: in.Width}); out.Rows != 0 {
		t.Errorf("%d rows", out.Rows)
	}
}

func cancelled(t *testing.T, m runtime.Model, in runtime.Batch) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Predict(ctx, in); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	predict(t, m, in)
}

// closeWaits closes while predictions run: each must answer rightly or say that the model is closed.
func closeWaits(t *testing.T, m runtime.Model, in runtime.Batch) {
	want := predict(t, m, in).Values
	var wg sync.WaitGroup
	begun := make(chan struct{}, 4)
	for range 4 {
		wg.Go(func() {
			begun <- struct{}{}
			for range 20 {
				out, err := m.Predict(t.Context(), in)
				if errors.Is(err, runtime.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("while closing: %v", err)
					return
				}
				same(t, "while closing", out.Values, want)
			}
		})
	}
	<-begun
	done := make(chan error, 1)
	go func() { done <- m.Close() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("close: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("close did not return")
	}
	wg.Wait()
}
