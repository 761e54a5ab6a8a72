package compact_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/compact"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

// readDataset prints every row of a folder of files as pyarrow reads them, with its types and with the columns that the names
// of folders give.
const readDataset = `
import datetime, json, sys
import pyarrow as pa, pyarrow.dataset as ds

def plain(v):
    if isinstance(v, bytes): return "x'" + v.hex()
    if isinstance(v, datetime.datetime): return v.isoformat()
    if isinstance(v, list): return [plain(x) for x in v]
    if isinstance(v, dict): return [plain(x) for x in v.values()]
    return v

table = ds.dataset(sys.argv[1], format="parquet", partitioning="hive").to_table()
table = table.sort_by([("kafka_partition", "ascending"), ("kafka_offset", "ascending")])
print(" ".join(f"{f.name}:{f.type}" for f in table.schema).replace(", ", ",").replace(" not null", "!"))
for row in table.to_pylist():
    print(json.dumps({k: plain(v) for k, v in row.items() if v is not None}, ensure_ascii=False))
`

// everyKind is records that fill every column, leave every one empty, and have nulls and empty values beside each other.
func everyKind() map[int32][]events.Record {
	full := event(0, start().Add(1500*time.Microsecond), "i-1", "größer/as", "ce_subject", "süd", "ce_time", "2026-11-01T08:59:59.25Z",
		"ce_recordedtime", "2026-11-01T09:00:00Z", "ce_dataschema", "/s/1", "ce_traceparent", "00-aa-bb-01", "ce_extra", "x\"y", "own", "\xff")
	full.Headers = append(full.Headers, events.RecordHeader{Key: "null"})
	full.Value = []byte(`{"a": 1, "b": "ü"}`)
	bare := event(2, start(), "i-2", "größer/as")
	bare.Key, bare.Value = nil, []byte{}
	plain := record(3, start(), "h", "", "h", "v")
	plain.Key, plain.Value = []byte{}, []byte{0, 0xff}
	structured := record(1, start(), "content-type", "application/cloudevents+json")
	structured.Value = []byte(`{"specversion":"1.0","id":"i-3","source":"/s","type":"größer/as","data":[1, 2]}`)
	null := record(2, start())
	null.Key, null.Value = nil, nil
	return map[int32][]events.Record{0: {full, bare, plain}, 1: {structured, null}}
}

// TestPyArrowReadsFiles: files need nothing of this project to be read, those of flushes and those of merges.
func TestPyArrowReadsFiles(t *testing.T) {
	python := must(exec.CommandContext(t.Context(), "../../../services/trainer/setup-env.sh").Output())(t)
	w := newWorld()
	for p, recs := range everyKind() {
		w.archive(t, partitionOf("events.kinds", p), 2, 4, recs...)
	}
	hot := w.copied(t)
	check(t, w.compactor(t, func(c *compact.Config) { c.Memory = 2000 }).Look(t.Context()))
	w.kept(t)
	merged := w.copied(t)
	const folders = `"topic": "kinds.%[1]s", "type": "%[2]s", "date": "2026-11-01", "hour": 9}`
	id := partitionOf("events.kinds", 0).ID()[:8]
	row := func(text, typ string) string { return text + ", " + fmt.Sprintf(folders, id, typ) }
	want := strings.Join([]string{
		`kafka_partition:int32 kafka_offset:int64 kafka_ts:timestamp[us] kafka_key:binary ce_id:string ce_source:string ce_type:string ` +
			`ce_subject:string ce_time:timestamp[us] ce_recordedtime:timestamp[us] ce_dataschema:string ce_datacontenttype:string ` +
			`traceparent:string ce_ext:string header_order:string headers:list<element: struct<key: binary!,value: binary!,is_null: bool!>!> ` +
			`data:string data_bytes:binary value:binary topic:string type:string date:string hour:int32`,
		row(`{"kafka_partition": 0, "kafka_offset": 0, "kafka_ts": "2026-11-01T09:00:00.001500", "kafka_key": "x'6b", "ce_id": "i-1", `+
			`"ce_source": "/test", "ce_type": "größer/as", "ce_subject": "süd", "ce_time": "2026-11-01T08:59:59.250000", `+
			`"ce_recordedtime": "2026-11-01T09:00:00", "ce_dataschema": "/s/1", "ce_datacontenttype": "application/json", `+
			`"traceparent": "00-aa-bb-01", "ce_ext": "{\"extra\":\"x\\\"y\"}", "header_order": "ce_specversion,ce_id,ce_source,ce_type,`+
			`content-type,ce_subject,ce_time,ce_recordedtime,ce_dataschema,ce_traceparent,ce_extra,*,*", `+
			`"headers": [["x'6f776e", "x'ff", false], ["x'6e756c6c", "x'", true]], "data": "{\"a\": 1, \"b\": \"ü\"}"`, "größer/as"),
		row(`{"kafka_partition": 0, "kafka_offset": 2, "kafka_ts": "2026-11-01T09:00:00", "ce_id": "i-2", "ce_source": "/test", `+
			`"ce_type": "größer/as", "ce_datacontenttype": "application/json", "header_order": "ce_specversion,ce_id,ce_source,ce_type,content-type", `+
			`"headers": [], "data_bytes": "x'"`, "größer/as"),
		row(`{"kafka_partition": 0, "kafka_offset": 3, "kafka_ts": "2026-11-01T09:00:00", "kafka_key": "x'", `+
			`"headers": [["x'68", "x'", false], ["x'68", "x'76", false]], "data_bytes": "x'00ff"`, ledger.TypeOther),
		row(`{"kafka_partition": 1, "kafka_offset": 1, "kafka_ts": "2026-11-01T09:00:00", "kafka_key": "x'6b", "ce_id": "i-3", "ce_source": "/s", `+
			`"ce_type": "größer/as", "headers": [["x'636f6e74656e742d74797065", "x'6170706c69636174696f6e2f636c6f75646576656e74732b6a736f6e", false]], `+
			`"data": "[1, 2]", "value": "x'`+fmt.Sprintf("%x", everyKind()[1][0].Value)+`"`, "größer/as"),
		row(`{"kafka_partition": 1, "kafka_offset": 2, "kafka_ts": "2026-11-01T09:00:00", "headers": []`, ledger.TypeOther),
	}, "\n") + "\n"
	for name, dir := range map[string]string{"flushed": hot, "merged": merged} {
		out, err := exec.CommandContext(t.Context(), strings.TrimSpace(string(python)), "-c", readDataset, dir).CombinedOutput()
		if got := string(out); err != nil || got != want {
			t.Errorf("%s files: %v, read as\n%s\nwant\n%s", name, err, got, want)
		}
	}
}

// copied puts what is live into a folder, as a download of the bucket has it.
func (w *world) copied(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range w.live(t) {
		path := filepath.Join(dir, f.Key)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, object(t, w.bucket, f.Key), 0o600))
	}
	return filepath.Join(dir, "archive", "v1")
}
