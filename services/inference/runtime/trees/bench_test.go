package trees

import (
	"fmt"
	"testing"

	"github.com/signalbox-ml/signalbox/services/inference/runtime"
)

// BenchmarkPredict walks the rows of a fixture round and round: a benchmark that repeats one row measures the branch
// predictor. ns/op is for all rows of a batch.
func BenchmarkPredict(b *testing.B) {
	for _, name := range []string{"lgb-binary.txt", "lgb-numeric.txt", "xgb-binary.json"} {
		fx := readFixture(b, "testdata/"+name)
		m := &Model{forest: fx.read(b).forest}
		width := m.forest.features
		for _, rows := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/trees=%d/rows=%d", fx.name, len(m.forest.trees), rows), func(b *testing.B) {
				b.ReportAllocs()
				at := 0
				for b.Loop() {
					if at+rows > fx.rows {
						at = 0
					}
					in := runtime.Batch{Rows: rows, Width: width, Values: fx.in[at*width : (at+rows)*width]}
					if _, err := m.Predict(b.Context(), in); err != nil {
						b.Fatal(err)
					}
					at += rows
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows*len(m.forest.trees)), "ns/tree")
			})
		}
	}
}
