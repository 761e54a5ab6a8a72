package icebergview_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/icebergview"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket/gateway/gatewaytest"
	"github.com/signalbox-ml/signalbox/registry/bucket/s3bucket"
	"github.com/signalbox-ml/signalbox/registry/pgcatalog/pgtest"
)

// read is one read of a table by PyIceberg.
type read struct {
	Table    [2]string `json:"table"`
	Snapshot int64     `json:"snapshot,omitempty"`
	Filter   string    `json:"filter,omitempty"`
}

// row is a row as PyIceberg returns it. Bytes are in Base64, times in microseconds.
type row struct {
	Partition int32    `json:"kafka_partition"`
	Offset    int64    `json:"kafka_offset"`
	Appended  int64    `json:"kafka_ts"`
	Key       []byte   `json:"kafka_key"`
	ID        *string  `json:"ce_id"`
	Type      *string  `json:"ce_type"`
	Subject   *string  `json:"ce_subject"`
	Time      *int64   `json:"ce_time"`
	Headers   []header `json:"headers"`
	Data      *string  `json:"data"`
	DataBytes []byte   `json:"data_bytes"`
	Value     []byte   `json:"value"`
}

type header struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
	Null  bool   `json:"is_null"`
}

type answer struct {
	Files     int     `json:"files"`
	Rows      []row   `json:"rows"`
	Snapshots []int64 `json:"snapshots"`
}

// pyiceberg is a reader that shares no code with the publisher.
type pyiceberg struct {
	python     string
	properties map[string]string
}

func newPyiceberg(t *testing.T, database string, s3 s3bucket.Config) pyiceberg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "../../../services/trainer/setup-env.sh", "--with-iceberg")
	cmd.Stderr = t.Output()
	return pyiceberg{strings.TrimSpace(string(must(cmd.Output())(t))), map[string]string{
		"type": "sql", "uri": strings.Replace(database, "postgres://", "postgresql+psycopg2://", 1), "init_catalog_tables": "false",
		"s3.endpoint": s3.Endpoint, "s3.access-key-id": s3.AccessKey, "s3.secret-access-key": s3.SecretKey, "s3.region": "us-east-1",
	}}
}

// read returns what the reads find, and the tables that there are.
func (p pyiceberg) read(t *testing.T, reads ...read) (answers []answer, tables []string) {
	t.Helper()
	request := must(json.Marshal(map[string]any{"catalog": "signalbox", "namespace": "archive", "properties": p.properties, "reads": reads}))(t)
	cmd := exec.CommandContext(t.Context(), p.python, "testdata/read.py")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), t.Output()
	var out struct {
		Tables []string `json:"tables"`
		Reads  []answer `json:"reads"`
	}
	check(t, json.Unmarshal(must(cmd.Output())(t), &out))
	return out.Reads, out.Tables
}

// story is events of two hours: of several types, one with odd characters and some that no file is opened for, late ones, ones
// without a time, of data that is no text, and records that are no events.
func story() (out []events.Record) {
	at := func(i int64) time.Time { return start().Add(time.Duration(i) * 45 * time.Second) }
	for i := range int64(160) {
		switch i % 8 {
		case 0:
			out = append(out, event(i, at(i), "a b/ü?#%", "ce_time", at(i).Add(-time.Duration(i)*time.Hour).Format(time.RFC3339Nano)))
		case 1:
			out = append(out, event(i, at(i), fmt.Sprint("rare.", i), "ce_subject", fmt.Sprint("s", i%3)))
		case 2:
			out = append(out, events.Record{Offset: i, AppendTime: at(i), Value: []byte{0, 255}, Headers: []events.RecordHeader{
				{Key: "k", Value: []byte("v")}, {Key: "k"}}})
		case 3:
			e := event(i, at(i), "type.0", "content-type", "application/octet-stream")
			e.Headers = slices.DeleteFunc(e.Headers, func(h events.RecordHeader) bool { return string(h.Value) == "application/json" })
			e.Key, e.Value = nil, []byte{0, 1, 255}
			out = append(out, e)
		default:
			out = append(out, event(i, at(i), "type.0", "ce_time", at(i).Add(1234*time.Microsecond).Format(time.RFC3339Nano), "own", "h"))
		}
	}
	return out
}

// structured is an event whose attributes are in its value, and its row.
func structured(offset int64) (events.Record, row) {
	id, typ, data, media := "whole", "type.0", `{"n":1}`, "application/cloudevents+json"
	r := events.Record{Offset: offset, AppendTime: start().Add(3 * time.Hour), Headers: []events.RecordHeader{{Key: "content-type", Value: []byte(media)}}}
	r.Value = fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/test","type":%q,"datacontenttype":"application/json","data":%s}`, id, typ, data)
	return r, row{
		Offset: offset, Appended: r.AppendTime.UnixMicro(), ID: &id, Type: &typ, Data: &data, Value: r.Value,
		Headers: []header{{[]byte("content-type"), []byte(media), false}},
	}
}

// rowOf is what a reader must see of a record: made from the record, not from what the archive made of it.
func rowOf(partition int32, r events.Record) row {
	out := row{Partition: partition, Offset: r.Offset, Appended: r.AppendTime.UnixMicro(), Key: r.Key, Headers: []header{}}
	attributes := map[string]*string{}
	isEvent := slices.ContainsFunc(r.Headers, func(h events.RecordHeader) bool { return h.Key == "ce_specversion" })
	for _, h := range r.Headers {
		if isEvent && (strings.HasPrefix(h.Key, "ce_") || h.Key == "content-type") {
			value := string(h.Value)
			attributes[h.Key] = &value
			continue
		}
		out.Headers = append(out.Headers, header{[]byte(h.Key), append([]byte{}, h.Value...), h.Value == nil})
	}
	out.ID, out.Type, out.Subject = attributes["ce_id"], attributes["ce_type"], attributes["ce_subject"]
	if at := attributes["ce_time"]; at != nil {
		parsed, err := time.Parse(time.RFC3339Nano, *at)
		if err != nil {
			panic(err)
		}
		micros := parsed.UnixMicro()
		out.Time = &micros
	}
	if media := attributes["content-type"]; media != nil && *media == "application/json" {
		data := string(r.Value)
		out.Data = &data
	} else {
		out.DataBytes = r.Value
	}
	return out
}

type place struct {
	partition int32
	offset    int64
}

func byPlace(t *testing.T, rows []row) map[place]row {
	t.Helper()
	out := map[place]row{}
	for _, r := range rows {
		if _, twice := out[place{r.Partition, r.Offset}]; twice {
			t.Errorf("%d/%d is there twice", r.Partition, r.Offset)
		}
		out[place{r.Partition, r.Offset}] = r
	}
	return out
}

// same fails unless a reader found all of want and nothing else.
func same(t *testing.T, what string, got, want []row) {
	t.Helper()
	found, wanted := byPlace(t, got), byPlace(t, want)
	if len(want) == 0 || !slices.Equal(places(found), places(wanted)) {
		t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
		return
	}
	for at, w := range wanted {
		if !reflect.DeepEqual(found[at], w) {
			t.Errorf("%s, %v:\n%+v, want\n%+v", what, at, asJSON(found[at]), asJSON(w))
			return
		}
	}
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func places(rows map[place]row) []place {
	return slices.SortedFunc(maps.Keys(rows), func(a, b place) int {
		return int(a.partition-b.partition)*1_000_000 + int(a.offset-b.offset)
	})
}

// TestReader: PyIceberg reads every snapshot of a table that was appended to and compacted, and finds what went in; filters that
// leave out files leave out no row.
func TestReader(t *testing.T) {
	t.Parallel()
	db, s3 := pgtest.New(t), gatewaytest.Start(t)
	b := must(s3bucket.New(s3))(t)
	t.Cleanup(b.Close)
	check(t, b.EnsureBucket(t.Context()))
	w := inMemory()
	w.ledger, w.views, w.bucket = db.Catalog.Ledger(), db.Catalog.Views(), b
	p := w.publisher(t, func(c *icebergview.Config) { c.BucketName = s3.Bucket })
	var want [][]row
	look := func(add ...row) {
		t.Helper()
		check(t, p.Look(t.Context()))
		before := []row(nil)
		if len(want) > 0 {
			before = want[len(want)-1]
		}
		want = append(want, append(slices.Clone(before), add...))
	}
	var rows [2][]row
	for i := range int32(2) {
		for _, r := range story() {
			rows[i] = append(rows[i], rowOf(i, r))
		}
		w.archive(t, partitionOf(topic, i), 50, story()...)
		look(rows[i]...)
	}
	whole, enveloped := structured(162)
	again := event(160, start().Add(3*time.Hour), "type.0")
	w.archive(t, partitionOf(topic, 0), 10, again, event(161, start().Add(3*time.Hour), "type.0"), whole)
	look(rowOf(0, again), rowOf(0, event(161, start().Add(3*time.Hour), "type.0")), enveloped)
	merged := w.compact(t, time.Nanosecond)
	if merged.Compactions == 0 || merged.Duplicates == 0 || merged.Purged > 0 {
		t.Fatalf("%+v: the test is void", merged)
	}
	look()
	v := must(w.views.View(t.Context(), partitionOf(topic, 0).TopicID))(t)
	reader, at := newPyiceberg(t, db.URL, s3), [2]string{v.Namespace, v.Name}
	first, tables := reader.read(t, read{Table: at})
	if !slices.Equal(tables, []string{v.Namespace + "." + v.Name}) || len(first[0].Snapshots) != len(want) {
		t.Fatalf("tables %q, %d snapshots", tables, len(first[0].Snapshots))
	}
	filters := map[string]func(row) bool{
		"ce_type = 'a b/ü?#%'":              func(r row) bool { return r.Type != nil && *r.Type == "a b/ü?#%" },
		"ce_type = 'rare.9'":                func(r row) bool { return r.Type != nil && *r.Type == "rare.9" },
		"ce_type is null":                   func(r row) bool { return r.Type == nil },
		"kafka_offset >= 150":               func(r row) bool { return r.Offset >= 150 },
		"kafka_partition = 1":               func(r row) bool { return r.Partition == 1 },
		"kafka_ts >= '2026-11-01T10:00:00'": func(r row) bool { return r.Appended >= start().Add(time.Hour).UnixMicro() },
		"kafka_ts < '2026-11-01T10:00:00'":  func(r row) bool { return r.Appended < start().Add(time.Hour).UnixMicro() },
		"kafka_ts >= '2026-11-01T09:20:00' and kafka_ts < '2026-11-01T09:25:00'": func(r row) bool {
			return r.Appended >= start().Add(20*time.Minute).UnixMicro() && r.Appended < start().Add(25*time.Minute).UnixMicro()
		},
		"ce_time < '2026-10-28T00:00:00'":  func(r row) bool { return r.Time != nil && *r.Time < start().Add(-105*time.Hour).UnixMicro() },
		"ce_time >= '2026-11-01T10:30:00'": func(r row) bool { return r.Time != nil && *r.Time >= start().Add(90*time.Minute).UnixMicro() },
	}
	var reads []read
	var names []string
	for _, id := range first[0].Snapshots[:len(want)-1] {
		reads = append(reads, read{Table: at, Snapshot: id})
	}
	snapshots := len(reads)
	for _, f := range slices.Sorted(maps.Keys(filters)) {
		for _, id := range []int64{first[0].Snapshots[1], 0} {
			reads, names = append(reads, read{at, id, f}), append(names, f)
		}
	}
	got, _ := reader.read(t, reads...)
	for i := range snapshots {
		same(t, fmt.Sprint("snapshot ", i), got[i].Rows, want[i])
	}
	// Of the deliveries of one event one stays: by offset in one file, and so on; which ones is for the compactor's own tests.
	now := byPlace(t, first[0].Rows)
	last := slices.DeleteFunc(slices.Clone(want[len(want)-1]), func(r row) bool { _, there := now[place{r.Partition, r.Offset}]; return !there })
	if missing := int64(len(want[len(want)-1]) - len(last)); missing != merged.Duplicates {
		t.Errorf("%d rows are missing, %d were duplicates", missing, merged.Duplicates)
	}
	same(t, "after the merge", first[0].Rows, last)
	for i, f := range names {
		of, all := want[1], got[1].Files
		if i%2 == 1 {
			of, all = last, first[0].Files
		}
		a := got[snapshots+i]
		same(t, f, a.Rows, slices.DeleteFunc(slices.Clone(of), func(r row) bool { return !filters[f](r) }))
		if a.Files >= all {
			t.Errorf("%s takes all %d files", f, all)
		}
	}
}
