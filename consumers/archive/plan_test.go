package archive

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/ledger"
)

func typed(typ string, size int) events.Record {
	r := events.Record{Value: make([]byte, size)}
	for _, kv := range [][2]string{{"ce_specversion", "1.0"}, {"ce_id", "i"}, {"ce_source", "s"}, {"ce_type", typ}} {
		r.Headers = append(r.Headers, events.RecordHeader{Key: kv[0], Value: []byte(kv[1])})
	}
	return r
}

// structured is a CloudEvent in structured mode, whose type is a piece of JSON.
func structured(typ string) events.Record {
	return events.Record{
		Headers: []events.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json")}},
		Value:   []byte(`{"specversion":"1.0","id":"i","source":"s","type":"` + typ + `"}`),
	}
}

func taken(recs ...events.Record) *records {
	rs := &records{free: &sync.Pool{}}
	for i := range recs {
		rs.add(&recs[i])
	}
	return rs
}

func TestPlan(t *testing.T) {
	plain := events.Record{Value: []byte("x")}
	tests := []struct {
		name  string
		recs  []events.Record
		files int
		want  string
	}{
		{"none", nil, 3, ""},
		{"by type, in order", []events.Record{typed("b", 1), typed("a", 1), plain, typed("b", 1)}, 3, "_other[2] a[1] b[0 3]"},
		{"the smallest share one", []events.Record{typed("c", 900), typed("a", 0), typed("b", 800), typed("a", 0), typed("d", 2)}, 3, "_mixed[1 3 4] b[2] c[0]"},
		{"one file for all", []events.Record{typed("b", 1), plain, typed("a", 1)}, 1, "_mixed[0 1 2]"},
		{"exactly enough", []events.Record{typed("b", 1), typed("a", 1)}, 2, "a[1] b[0]"},
		{"the archive's own names", []events.Record{typed("_other", 1), typed("_x", 1), typed("a", 1)}, 2, "_mixed[0 1] a[2]"},
		{"types no ledger takes", []events.Record{typed("a\x00b", 1), typed("a", 1), typed(strings.Repeat("ab", 4000), 1)}, 9, "_mixed[0 2] a[1]"},
		{"types that are no text", []events.Record{typed("a\xffb", 1), structured(`a\u0000b`), structured("a\xffb")}, 9, "_mixed[1] _other[0 2]"},
		{"own names count", []events.Record{typed("_x", 1), typed("a", 900), typed("b", 1)}, 2, "_mixed[0 2] a[1]"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for i := range tc.recs {
				tc.recs[i].Offset = int64(i)
			}
			rs := taken(tc.recs...)
			for _, g := range rs.files(tc.files) {
				var rows []int64
				if err := rs.each(g, func(r *events.Record) error { rows = append(rows, r.Offset); return nil }); err != nil {
					t.Fatal(err)
				}
				got = append(got, g.typ+fmt.Sprint(rows))
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %s, want %s", s, tc.want)
			}
		})
	}
}

func TestPlanKnowsWhenEventsBecameAvailable(t *testing.T) {
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	recorded, plain := typed("a", 1), typed("b", 1)
	recorded.Headers = append(recorded.Headers, events.RecordHeader{Key: "ce_recordedtime", Value: []byte("2013-01-01T00:00:00Z")})
	recorded.AppendTime, plain.AppendTime = at, at
	gs := taken(recorded, plain).files(2)
	if gs[0].available.Year() != 2013 || !gs[1].available.Equal(at) {
		t.Errorf("available %s and %s", gs[0].available, gs[1].available)
	}
}

// TestKeysFitEveryStore has types and topics as nasty as they may be: each key must be one that every store takes, and
// different names must have different keys.
func TestKeysFitEveryStore(t *testing.T) {
	long := strings.Repeat("ä/", 400)
	names := []string{"flight.departed", "..", ".", "a/b", "a%2Fb", "a=b", "ä", "\x00", " ", `\`, "UPPER", ledger.TypeOther, long, long + "x", strings.Repeat("a", 300)}
	hour := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	keys := map[string]string{}
	for _, name := range names {
		tp := events.TopicPartition{TopicID: [16]byte{1, 2, 3, 4}, Topic: "events.x", Partition: 7}
		key := fileKey(tp, 12, name, hour, 5, 9)
		if err := bucket.CheckKey(key); err != nil {
			t.Errorf("type %.20q: %v", name, err)
		}
		if other, ok := keys[key]; ok {
			t.Errorf("types %.20q and %.20q have one key", name, other)
		}
		keys[key] = name
		tp.Topic = "events." + strings.Repeat("t", 240)
		if err := bucket.CheckKey(fileKey(tp, 12, name, hour, 5, 9)); err != nil {
			t.Errorf("long topic: %v", err)
		}
	}
	const want = "archive/v1/topic=x.01020304/type=flight.departed/date=2026-11-01/hour=09/p7-5-9-12.parquet"
	if _, ok := keys[want]; !ok {
		t.Errorf("no key %s", want)
	}
}
