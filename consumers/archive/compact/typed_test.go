package compact_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events/schema"
)

// readTyped prints what a filter by a typed column leaves of files that have it.
const readTyped = `
import sys, pyarrow.dataset as ds, pyarrow.parquet as pq
files = [f for f in ds.dataset(sys.argv[1], format="parquet").files if "price" in pq.read_schema(f).names]
table = ds.dataset(files, format="parquet").to_table(filter=ds.field("price") > 2.0).sort_by("kafka_offset")
print(len(files), table.schema.field("price").type, table.schema.field("day").type, table.to_pydict()["kafka_offset"],
    [str(d) for d in table.to_pydict()["day"]])
`

// TestMergeFillsTypedColumns: a column that was asked for after some files had been written is in the merged file for all of
// their rows, and an independent reader prunes and filters by it.
func TestMergeFillsTypedColumns(t *testing.T) {
	python := strings.TrimSpace(string(must(exec.CommandContext(t.Context(), "../../../services/trainer/setup-env.sh").Output())(t)))
	columns := func(string) segment.Columns {
		return segment.Columns{"paid": {{Name: "day", Property: "day", Kind: schema.ColumnDate}, {Name: "price", Property: "price", Kind: schema.ColumnNumber}}}
	}
	w, tp := newWorld(), partitionOf("events.shop", 0)
	for i := range int64(6) {
		w.columns = nil
		if i > 2 {
			w.columns = columns
		}
		paid := event(i, start(), fmt.Sprint(i), "paid")
		paid.Value = fmt.Appendf(nil, `{"price":%d.5,"day":"2026-11-0%d"}`, i, i+1)
		w.archive(t, tp, 1, 4, paid)
	}
	read := func() string {
		return string(must(exec.CommandContext(t.Context(), python, "-c", readTyped, w.copied(t)).Output())(t))
	}
	const day4, all = "'2026-11-04', '2026-11-05', '2026-11-06']", "'2026-11-03', "
	if got, want := read(), "3 double date32[day] [3, 4, 5] ["+day4+"\n"; got != want {
		t.Errorf("flushed: got %swant %s", got, want)
	}
	check(t, w.compactor(t, func(c *compact.Config) { c.Columns = columns }).Look(t.Context()))
	w.kept(t)
	if got, want := read(), "1 double date32[day] [2, 3, 4, 5] ["+all+day4+"\n"; got != want {
		t.Errorf("merged: got %swant %s", got, want)
	}
}
