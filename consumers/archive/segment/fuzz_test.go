package segment_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/consumers/archive/segment"
	"github.com/signalbox-ml/signalbox/events"
)

// headerNames are what a fuzzed header is mostly called, so that the interesting paths are met.
func headerNames() []string {
	return []string{
		"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_recordedtime", "ce_dataschema", "ce_traceparent",
		"content-type", "ce_ext", "ce_a", "traceparent", "*", "a,b", "CE_ID", "\xff", "",
	}
}

// fuzzed builds a record from bytes: a header is a name's number, a length and that many bytes. Length 255 is null.
func fuzzed(key, value, headers []byte, nulls byte, at int64) events.Record {
	r := events.Record{Offset: 5, Key: key, Value: value, AppendTime: time.UnixMicro(at % 1e17)}
	if nulls&1 != 0 {
		r.Key = nil
	}
	if nulls&2 != 0 {
		r.Value = nil
	}
	if nulls&4 != 0 {
		r.Headers = header("ce_specversion", "1.0", "ce_id", "i", "ce_source", "s", "ce_type", "t")
	}
	names := headerNames()
	for len(headers) >= 2 {
		h := events.RecordHeader{Key: names[int(headers[0])%len(names)]}
		n := int(headers[1])
		headers = headers[2:]
		if n < 255 {
			n = min(n, len(headers))
			h.Value, headers = append([]byte{}, headers[:n]...), headers[n:]
		}
		r.Headers = append(r.Headers, h)
	}
	return r
}

// FuzzRecord proves that the archive is verbatim: any record goes in and the same record comes out, beside another one.
func FuzzRecord(f *testing.F) {
	f.Add([]byte("k"), []byte(`{"a":1}`), []byte("\x05\x142026-11-01T09:59:00Z\x0a\x03abc\x0c\x01x"), byte(4), int64(1))
	f.Add([]byte{}, []byte{}, []byte("\x05\x1e2026-11-01T09:59:00.123456789Z\x05\x00"), byte(4), int64(-1))
	f.Add([]byte(nil), []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":[1],"x":true}`),
		[]byte("\x09\x1capplication/cloudevents+json"), byte(0), int64(1e15))
	f.Add([]byte("k"), []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AA=="}`),
		[]byte("\x09\x1capplication/cloudevents+json\x0a\xff"), byte(3), int64(0))
	f.Add([]byte("k"), []byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`), []byte("\x09\x21application/cloudevents+json; x=\xff"), byte(0), int64(0))
	f.Fuzz(func(t *testing.T, key, value, headers []byte, nulls byte, at int64) {
		// The third has the same names as the second and other values.
		want := []events.Record{binaryRecord(4), fuzzed(key, value, headers, nulls, at), fuzzed(key, value, headers, nulls^3, at), binaryRecord(7)}
		want[2].Offset++
		for i := 0; i < len(want[2].Headers); i += 2 {
			want[2].Headers[i].Value = nil
		}
		inspector := new(segment.Inspector)
		rows := decode(t, encode(t, want...))
		for i := range want {
			if !sameRecord(rows[i].Record, want[i]) {
				t.Fatalf("got  %+v\nwant %+v", rows[i].Record, want[i])
			}
			if typ := inspector.Inspect(&want[i]).Type; string(typ) != rows[i].CloudEvent.Type {
				t.Fatalf("inspected as %q, unpacked as %q", typ, rows[i].CloudEvent.Type)
			}
		}
	})
}

// FuzzRead proves that a damaged file is an error, never a panic. Damage is laid over a good file, so that the reader
// gets far.
func FuzzRead(f *testing.F) {
	good := encode(f, binaryRecord(1), binaryRecord(2)).Body
	f.Add(uint16(0), []byte("PAR2"))
	f.Add(uint16(len(good)-9), []byte{0xff})
	f.Add(uint16(60), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, at uint16, damage []byte) {
		body := bytes.Clone(good)
		if int(at) >= len(body) {
			body = body[:len(body)-min(len(body), len(damage))]
		} else {
			copy(body[at:], damage)
		}
		for _, err := range segment.Read(bytes.NewReader(body), int64(len(body))) {
			if err != nil {
				break
			}
		}
		_, _ = segment.Find(bytes.NewReader(body), int64(len(body)), "id-2")
	})
}
