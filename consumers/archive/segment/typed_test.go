package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/schema"
)

// everyKind asks for a column of each kind of one type, and for some of another.
func everyKind() segment.Columns {
	return segment.Columns{
		"flight.departed": {
			{Name: "at", Property: "at", Kind: schema.ColumnTimestamp}, {Name: "day", Property: "day", Kind: schema.ColumnDate},
			{Name: "delayed", Property: "delayed", Kind: schema.ColumnBoolean}, {Name: "miles", Property: "distance", Kind: schema.ColumnInteger},
			{Name: "origin", Property: "origin", Kind: schema.ColumnText}, {Name: "price", Property: "price", Kind: schema.ColumnNumber},
		},
		"flight.landed": {{Name: "miles", Property: "miles", Kind: schema.ColumnInteger}, {Name: "runway", Property: "runway", Kind: schema.ColumnText}},
	}
}

// flight is a record of a type with data; "" is no CloudEvent.
func flight(offset int64, typ, data string) events.Record {
	r := events.Record{Offset: offset, Value: []byte(data), AppendTime: time.UnixMicro(offset)}
	if typ != "" {
		r.Headers = header("ce_specversion", "1.0", "ce_id", fmt.Sprint(offset), "ce_source", "/test", "ce_type", typ)
	}
	return r
}

// cells reads the columns of a file by name, as any Parquet reader would: nil is null.
func cells(t *testing.T, file []byte, names ...string) [][]any {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	rows := parquet.NewReader(f)
	defer rows.Close()
	var out [][]any
	for {
		row := map[string]any{}
		if err := rows.Read(&row); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		var line []any
		for _, name := range names {
			v, ok := row[name]
			if !ok {
				t.Fatalf("no column %s", name)
			}
			line = append(line, v)
		}
		out = append(out, line)
	}
}

func typedFile(t *testing.T, of segment.Columns, recs ...events.Record) []byte {
	t.Helper()
	w := segment.NewWriter()
	w.Columns(of)
	return written(t, w, recs).Body
}

func TestTypedColumns(t *testing.T) {
	for data, want := range map[string]string{
		`{"at":"2026-11-01T10:00:00.5Z","day":"2026-11-01","delayed":true,"distance":7,"origin":"JFK","price":1.5}`:                    `1793527200500000 20758 true 7 JFK 1.5`,
		`{"at":"1969-12-31T23:00:00-02:00","day":"1969-12-31","delayed":false,"distance":-9223372036854775808,"origin":"","price":-0}`: `3600000000 -1 false -9223372036854775808  -0`,
		`{}`: `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"at":null,"day":null,"delayed":null,"distance":null,"origin":null,"price":null}`:                                   `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"at":"today","day":"2026-02-30","delayed":"true","distance":"7","origin":7,"price":"1.5"}`:                         `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"at":1,"day":1,"delayed":0,"distance":1.5,"origin":{"origin":"a"},"price":[1]}`:                                    `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"distance":1e3,"price":9223372036854775807}`:                                                                       `<nil> <nil> <nil> 1000 <nil> 9.223372036854776e+18`,
		`{"distance":9223372036854775808,"price":1e400}`:                                                                     `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"distance":9007199254740993.0,"price":true}`:                                                                       `<nil> <nil> <nil> <nil> <nil> <nil>`,
		" { \"or\\u0069gin\" : \"a\\n\\\"\\ud83d\\ude00ü\" , \"x\" : {\"price\":1,\"y\":[{\"price\":2}]} , \"price\" : 3 } ": "<nil> <nil> <nil> <nil> a\n\"😀ü 3",
		`{"price":1,"price":2,"delayed":true,"delayed":7}`:                                                                   `<nil> <nil> <nil> <nil> <nil> 2`,
		`[{"price":1}]`: `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"price":1`:    `<nil> <nil> <nil> <nil> <nil> <nil>`,
		`{"price":1}{}`: `<nil> <nil> <nil> <nil> <nil> <nil>`,
	} {
		file := typedFile(t, everyKind(), flight(1, "flight.departed", data))
		var got []string
		for _, v := range cells(t, file, "at", "day", "delayed", "miles", "origin", "price")[0] {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			got = append(got, fmt.Sprint(v))
		}
		if line := strings.Join(got, " "); line != want {
			t.Errorf("%s\ngot  %s\nwant %s", data, line, want)
		}
	}
}

// TestTypedColumnsOfMixedTypes: each row fills the columns of its own type, whatever stood in the row before, and the rows
// are what they are without such columns.
func TestTypedColumnsOfMixedTypes(t *testing.T) {
	var recs []events.Record
	var want [][]any
	for i := range int64(1000) {
		switch i % 5 {
		case 0:
			recs = append(recs, flight(i, "flight.departed", fmt.Sprintf(`{"distance":%d,"price":%d.5,"runway":"no"}`, i, i)))
			want = append(want, []any{i, float64(i) + .5, nil})
		case 1:
			recs = append(recs, flight(i, "flight.landed", fmt.Sprintf(`{"miles":%d,"price":1,"runway":"%d","distance":-1}`, i, i)))
			want = append(want, []any{i, nil, fmt.Sprint(i)})
		case 2:
			recs = append(recs, flight(i, "flight.lost", `{"miles":1,"price":1,"runway":"no"}`))
			want = append(want, []any{nil, nil, nil})
		case 3:
			recs = append(recs, flight(i, "", `{"miles":1,"price":1,"runway":"no"}`))
			want = append(want, []any{nil, nil, nil})
		case 4:
			recs = append(recs, events.Record{Offset: i, Headers: header("content-type", "application/cloudevents+json"), AppendTime: time.UnixMicro(i),
				Value: fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"/s","type":"flight.landed","data":{"miles":%d}}`, i, i)})
			want = append(want, []any{i, nil, nil})
		}
	}
	file := typedFile(t, everyKind(), recs...)
	for i, line := range cells(t, file, "miles", "price", "runway") {
		for j, v := range line {
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			if !reflect.DeepEqual(v, want[i][j]) {
				t.Fatalf("row %d: got %v, want %v", i, line, want[i])
			}
		}
	}
	plain, i := typedFile(t, nil, recs...), 0
	bare := decode(t, segment.Segment{Body: plain})
	for _, row := range decode(t, segment.Segment{Body: file}) {
		if !reflect.DeepEqual(row, bare[i]) {
			t.Fatalf("row %d: got %+v, want %+v", i, row, bare[i])
		}
		i++
	}
	if row, err := segment.Find(bytes.NewReader(file), int64(len(file)), "501"); err != nil || row.Record.Offset != 501 {
		t.Errorf("%+v, %v", row, err)
	}
}

// TestTypedColumnsThatDisagree: types that should not be in one file get the column of the first of them.
func TestTypedColumnsThatDisagree(t *testing.T) {
	of := segment.Columns{"a": {{Name: "x", Property: "x", Kind: schema.ColumnInteger}}, "b": {{Name: "x", Property: "x", Kind: schema.ColumnText}}}
	got := cells(t, typedFile(t, of, flight(1, "a", `{"x":1}`), flight(2, "b", `{"x":"1"}`)), "x")
	if want := [][]any{{int64(1)}, {nil}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestMergeFillsTypedColumns: rows of files that had no such columns get them.
func TestMergeFillsTypedColumns(t *testing.T) {
	recs := []events.Record{flight(1, "flight.departed", `{"price":1.25}`), flight(2, "flight.landed", `{"miles":3}`), flight(3, "", `{"price":1}`), {Offset: 4}}
	for _, of := range []segment.Columns{nil, everyKind(), {"flight.departed": {{Name: "older", Property: "price", Kind: schema.ColumnNumber}}}} {
		file := typedFile(t, of, recs...)
		var out bytes.Buffer
		w := segment.NewMergeWriter(&out, everyKind(), math.MaxInt64)
		for row, err := range segment.ReadStored(bytes.NewReader(file), int64(len(file))) {
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Append(row.AppendTo(nil)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got := cells(t, out.Bytes(), "price", "miles")
		if want := [][]any{{1.25, nil}, {nil, int64(3)}, {nil, nil}, {nil, nil}}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}
