package segment_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/cas"
)

func header(kv ...string) []events.RecordHeader {
	var hs []events.RecordHeader
	for i := 0; i < len(kv); i += 2 {
		hs = append(hs, events.RecordHeader{Key: kv[i], Value: []byte(kv[i+1])})
	}
	return hs
}

func binaryRecord(offset int64, more ...string) events.Record {
	return events.Record{
		Offset:     offset,
		Key:        []byte("entity-7"),
		Value:      []byte(`{"a": 1, "b": "ü"}`),
		AppendTime: time.Date(2026, 11, 1, 10, 0, 0, 123000000, time.UTC),
		Headers: header(append([]string{
			"ce_specversion", "1.0", "ce_id", fmt.Sprintf("id-%d", offset), "ce_source", "/test", "ce_type", "flight.departed",
			"content-type", "application/json",
		}, more...)...),
	}
}

func with(r events.Record, change func(*events.Record)) events.Record {
	change(&r)
	return r
}

// encode writes records as one segment.
func encode(t testing.TB, recs ...events.Record) segment.Segment {
	t.Helper()
	w := segment.NewWriter()
	for i := range recs {
		if err := w.Append(3, &recs[i]); err != nil {
			t.Fatal(err)
		}
	}
	seg, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return seg
}

func decode(t testing.TB, seg segment.Segment) []segment.Row {
	t.Helper()
	var rows []segment.Row
	for row, err := range segment.Read(bytes.NewReader(seg.Body), int64(len(seg.Body))) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// sameRecord compares all that Kafka keeps of a record; append times in microseconds.
func sameRecord(a, b events.Record) bool {
	return a.Offset == b.Offset && a.AppendTime.UnixMicro() == b.AppendTime.UnixMicro() && sameBytes(a.Key, b.Key) &&
		sameBytes(a.Value, b.Value) && slices.EqualFunc(a.Headers, b.Headers, func(x, y events.RecordHeader) bool {
		return x.Key == y.Key && sameBytes(x.Value, y.Value)
	})
}

// sameBytes tells nil from empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestEveryRecordComesBack(t *testing.T) {
	structured := func(body string, more ...string) events.Record {
		return events.Record{Offset: 1, Value: []byte(body), Headers: header(append([]string{"content-type", "application/cloudevents+json; charset=UTF-8"}, more...)...)}
	}
	cases := map[string]events.Record{
		"binary":                    binaryRecord(1),
		"empty record":              {Offset: 1},
		"empty key and value":       {Offset: 1, Key: []byte{}, Value: []byte{}},
		"null value of an event":    with(binaryRecord(1), func(r *events.Record) { r.Value = nil }),
		"empty value of an event":   with(binaryRecord(1), func(r *events.Record) { r.Value = []byte{} }),
		"times, canonical":          binaryRecord(1, "ce_time", "2026-11-01T09:59:00.000001Z", "ce_recordedtime", "2026-11-01T09:59:00Z"),
		"times, nanoseconds":        binaryRecord(1, "ce_time", "2026-11-01T09:59:00.123456789Z"),
		"times, zone":               binaryRecord(1, "ce_time", "2026-11-01T09:59:00+02:00"),
		"times, trailing zero":      binaryRecord(1, "ce_time", "2026-11-01T09:59:00.10Z"),
		"times, the epoch":          binaryRecord(1, "ce_time", "1970-01-01T00:00:00Z"),
		"times, beyond the years":   binaryRecord(1, "ce_time", "9999-12-31T23:59:59-01:00", "ce_recordedtime", "0000-01-01T00:00:00+23:59"),
		"times, not a time":         binaryRecord(1, "ce_time", "yesterday"),
		"repeated attribute":        binaryRecord(1, "ce_subject", "a", "ce_subject", "b", "ce_subject", "a"),
		"empty attribute":           binaryRecord(1, "ce_subject", ""),
		"attribute no UTF-8":        binaryRecord(1, "ce_subject", "\xff"),
		"extensions":                binaryRecord(1, "ce_zeta", `"quoted"`, "ce_alpha", "\u2028é", "ce_empty", ""),
		"extension of odd name":     binaryRecord(1, "ce_Not-A-Name", "x", "ce_", "y"),
		"extension called data":     binaryRecord(1, "ce_data", "x", "ce_datacontenttype", "y"),
		"names in capitals":         with(binaryRecord(1), func(r *events.Record) { r.Headers[1].Key, r.Headers[4].Key = "CE_Id", "Content-Type" }),
		"thousands of extensions":   manyExtensions(),
		"content type no UTF-8":     structured(`{"specversion":"1.0","id":"1","source":"/s","type":"t"}`, "content-type", "application/cloudevents+json; x=\xff"),
		"batch":                     {Offset: 1, Value: []byte("[]"), Headers: header("content-type", "application/cloudevents-batch+json")},
		"foreign headers":           binaryRecord(1, "traceparent", "00-1", "a,b", "c", "*", "d", "\xff", "\xff"),
		"header order":              with(binaryRecord(1), func(r *events.Record) { slices.Reverse(r.Headers) }),
		"null header":               with(binaryRecord(1), func(r *events.Record) { r.Headers = append(r.Headers, events.RecordHeader{Key: "ce_x"}) }),
		"other specversion":         with(binaryRecord(1), func(r *events.Record) { r.Headers[0].Value = []byte("0.3") }),
		"no id":                     with(binaryRecord(1), func(r *events.Record) { r.Headers[1].Key = "id" }),
		"structured":                structured(`{"specversion":"1.0","id":"1","source":"/s","type":"t", "data":{"x":1},"ext":true,"n":42,"time":"2026-11-01T09:59:00Z"}`, "ce_id", "other"),
		"structured base64":         structured(`{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"AP8="}`),
		"structured without data":   structured(`{"specversion":"1.0","id":"1","source":"/s","type":"t"}`),
		"structured, broken":        structured(`{"specversion":"1.0",`),
		"structured, no CloudEvent": structured(`[1]`),
		"no CloudEvent":             {Offset: 1, Key: []byte{0}, Value: []byte{0xff}, Headers: header("k", "v", "k", "v")},
		"before the epoch":          {Offset: 1, AppendTime: time.UnixMilli(-1)},
	}
	for name, rec := range cases {
		t.Run(name, func(t *testing.T) {
			rows := decode(t, encode(t, rec))
			if len(rows) != 1 || rows[0].Partition != 3 || !sameRecord(rows[0].Record, rec) {
				t.Fatalf("got  %+v\nwant %+v", rows, rec)
			}
		})
	}
}

// manyExtensions has names that repeat, some of them with values that are no text.
func manyExtensions() events.Record {
	r := binaryRecord(1)
	for i := range 20_000 {
		h := events.RecordHeader{Key: fmt.Sprintf("ce_x%d", i%15_000), Value: []byte(fmt.Sprint(i))}
		if i%7 == 0 {
			h.Value = []byte{0xff}
		}
		r.Headers = append(r.Headers, h)
	}
	return r
}

func TestModesGiveTheSameColumns(t *testing.T) {
	at := time.Date(2026, 11, 1, 9, 59, 0, 5000, time.UTC)
	want := segment.CloudEvent{
		ID: "e1", Source: "/s", Type: "t", Subject: "sub", Time: at, RecordedTime: at.Add(time.Second),
		DataSchema: "https://example.com/t/1.0", DataContentType: "application/json", TraceParent: "00-a-b-01",
		Extensions: map[string]string{"flag": "true", "partitionkey": "k"}, Data: []byte(`{"x": 1}`),
	}
	recs := map[string]events.Record{
		"binary": {Value: []byte(`{"x": 1}`), Headers: header("ce_specversion", "1.0", "ce_id", "e1", "ce_source", "/s", "ce_type", "t",
			"ce_subject", "sub", "ce_time", "2026-11-01T09:59:00.000005Z", "ce_recordedtime", "2026-11-01T09:59:01.000005Z", "ce_dataschema",
			"https://example.com/t/1.0", "content-type", "application/json", "ce_traceparent", "00-a-b-01", "ce_flag", "true", "ce_partitionkey", "k")},
		"capitals": {Value: []byte(`{"x": 1}`), Headers: header("CE_SPECVERSION", "1.0", "Ce_Id", "e1", "Ce_Source", "/s", "Ce_Type", "t",
			"Ce_Subject", "sub", "Ce_Time", "2026-11-01T09:59:00.000005Z", "Ce_RecordedTime", "2026-11-01T09:59:01.000005Z", "Ce_DataSchema",
			"https://example.com/t/1.0", "Content-Type", "application/json", "Ce_TraceParent", "00-a-b-01", "Ce_Flag", "true", "Ce_PartitionKey", "k")},
		"structured": {Headers: header("content-type", "application/cloudevents+json"), Value: []byte(`{"specversion":"1.0","id":"e1","source":"/s",
			"type":"t","subject":"sub","time":"2026-11-01T09:59:00.000005Z","recordedtime":"2026-11-01T10:59:01.000005+01:00","partitionkey":"k",
			"dataschema":"https://example.com/t/1.0","datacontenttype":"application/json","traceparent":"00-a-b-01","flag":true,"data":{"x": 1}}`)},
	}
	for name, rec := range recs {
		if got := decode(t, encode(t, rec))[0].CloudEvent; !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
		kind := new(segment.Inspector).Inspect(&rec)
		if string(kind.Type) != "t" || !kind.Recorded.Equal(want.RecordedTime) {
			t.Errorf("%s: inspected as %s at %s", name, kind.Type, kind.Recorded)
		}
	}
}

func TestInspectKnowsWhatIsNoCloudEvent(t *testing.T) {
	for name, rec := range map[string]events.Record{
		"plain":          {Value: []byte("x")},
		"id missing":     with(binaryRecord(1), func(r *events.Record) { r.Headers = slices.Delete(r.Headers, 1, 2) }),
		"id empty":       with(binaryRecord(1), func(r *events.Record) { r.Headers[1].Value = nil }),
		"version":        with(binaryRecord(1), func(r *events.Record) { r.Headers[0].Value = []byte("2.0") }),
		"bad structured": {Value: []byte("{}"), Headers: header("content-type", "application/cloudevents+json")},
	} {
		if k := new(segment.Inspector).Inspect(&rec); k.Type != nil {
			t.Errorf("%s: inspected as %s", name, k.Type)
		}
		if row := decode(t, encode(t, rec))[0]; row.CloudEvent.ID != "" || !bytes.Equal(row.CloudEvent.Data, rec.Value) {
			t.Errorf("%s: unpacked as %+v", name, row.CloudEvent)
		}
	}
}

func TestSegmentDescribesItself(t *testing.T) {
	early, late := binaryRecord(4, "ce_time", "2020-01-02T00:00:00Z"), binaryRecord(9, "ce_time", "2019-01-01T00:00:00Z")
	early.AppendTime = early.AppendTime.Add(time.Second)
	seg := encode(t, early, binaryRecord(6), late)
	if seg.Digest != cas.Sum(seg.Body) || seg.Rows != 3 || seg.Start != 4 || seg.End != 10 {
		t.Errorf("got %d rows [%d, %d)", seg.Rows, seg.Start, seg.End)
	}
	if seg.MinTime.Year() != 2019 || seg.MaxTime.Year() != 2020 {
		t.Errorf("event time from %s to %s", seg.MinTime, seg.MaxTime)
	}
	if !seg.MinSeen.Equal(late.AppendTime) || !seg.MaxSeen.Equal(early.AppendTime) {
		t.Errorf("append time from %s to %s", seg.MinSeen, seg.MaxSeen)
	}
}

func TestWriterStartsAnewAfterClose(t *testing.T) {
	w := segment.NewWriter()
	write := func(recs ...events.Record) segment.Segment {
		for i := range recs {
			if err := w.Append(3, &recs[i]); err != nil {
				t.Fatal(err)
			}
		}
		seg, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		return seg
	}
	first := write(binaryRecord(1), binaryRecord(2))
	write(binaryRecord(7, "ce_time", "2026-11-01T09:59:00Z"))
	again := write(binaryRecord(1), binaryRecord(2))
	if first.Digest != again.Digest || again.Rows != 2 || !again.MaxTime.IsZero() {
		t.Errorf("the same rows gave %s with %d rows, then %s with %d rows", first.Digest, first.Rows, again.Digest, again.Rows)
	}
}

func TestFind(t *testing.T) {
	var recs []events.Record
	for i := range int64(2000) {
		recs = append(recs, binaryRecord(i*2))
	}
	recs = append(recs, events.Record{Offset: 4001}, with(binaryRecord(5000), func(r *events.Record) { r.Headers[1].Value = []byte("id-8") }))
	seg := encode(t, recs...)
	r, size := bytes.NewReader(seg.Body), int64(len(seg.Body))
	for _, offset := range []int64{0, 8, 2000, 3998} {
		row, err := segment.Find(r, size, fmt.Sprintf("id-%d", offset))
		if err != nil || row.Record.Offset != offset {
			t.Errorf("find id-%d: offset %d, %v", offset, row.Record.Offset, err)
		}
	}
	if _, err := segment.Find(r, size, "id-1"); !errors.Is(err, segment.ErrNotFound) {
		t.Errorf("find what is not there: %v", err)
	}
}

// The zero of time.Time is a time that an event may have: it stays within the bounds, of merged rows too.
func TestBoundsOfTimeZero(t *testing.T) {
	used := segment.NewWriter()
	recs := []events.Record{binaryRecord(0, "ce_time", "0001-01-01T00:00:00Z"), binaryRecord(1, "ce_time", "2020-01-01T00:00:00Z")}
	for range 2 {
		seg := written(t, used, recs)
		_, merged := merge(t, 1<<20, func(int) []int { return []int{0, 1} }, seg)
		if !seg.MinTime.IsZero() || seg.MaxTime.Year() != 2020 || !merged.MinTime.IsZero() || merged.MaxTime.Year() != 2020 {
			t.Errorf("from %s to %s, merged from %s to %s", seg.MinTime, seg.MaxTime, merged.MinTime, merged.MaxTime)
		}
	}
}
