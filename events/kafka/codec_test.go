package kafka

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/signalbox-ml/signalbox/events"
)

func mustEvent(t testing.TB, data any) events.Event {
	t.Helper()
	ev, err := events.New("org.example.flight", "urn:example:airport/JFK?gate=1", "N14228", "a-1",
		time.Date(2013, 1, 1, 5, 17, 0, 123456789, time.UTC), data)
	if err != nil {
		t.Fatal(err)
	}
	return ev
}

// samples differ in one thing each.
func samples(t testing.TB) map[string]events.Event {
	out := map[string]events.Event{"plain": mustEvent(t, map[string]any{"dep_delay": 2})}
	add := func(name string, change func(*events.Event)) {
		ev := mustEvent(t, map[string]any{"dep_delay": 2}).Clone()
		change(&ev)
		out[name] = ev
	}
	add("partition key", func(ev *events.Event) { ev.SetExtension("partitionkey", "carrier-UA") })
	add("numeric partition key", func(ev *events.Event) { ev.SetExtension("partitionkey", 7) })
	add("extensions", func(ev *events.Event) {
		ev.SetExtension("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
		ev.SetExtension("sequence", int32(-3))
		ev.SetExtension("sampled", true)
		ev.SetExtension("blob", []byte{0, 1, 255})
		ev.SetExtension("at", types.Timestamp{Time: time.Unix(1700000000, 5)})
	})
	add("schema", func(ev *events.Event) { ev.SetDataSchema("https://schemas.example.org/flight/1.2#x") })
	add("no subject", func(ev *events.Event) { ev.SetSubject("") })
	add("no time", func(ev *events.Event) { ev.Context.(*event.EventContextV1).Time = nil })
	add("unicode", func(ev *events.Event) { ev.SetSubject("Zürich → 東京") })
	add("no data", func(ev *events.Event) { ev.DataEncoded = nil })
	add("text", func(ev *events.Event) {
		if err := ev.SetData("text/plain; charset=utf-8", "hello"); err != nil {
			t.Fatal(err)
		}
	})
	add("binary data", func(ev *events.Event) {
		if err := ev.SetData("application/octet-stream", []byte{0, 255, 10}); err != nil {
			t.Fatal(err)
		}
	})
	return out
}

// sameEvent compares what binary mode keeps: extensions by their text, data by its bytes.
func sameEvent(t *testing.T, got, want events.Event) {
	t.Helper()
	a, b := got.Context.AsV1(), want.Context.AsV1()
	for name, pair := range map[string][2]string{
		"id": {a.ID, b.ID}, "type": {a.Type, b.Type}, "source": {a.Source.String(), b.Source.String()},
		"subject": {got.Subject(), want.Subject()}, "content type": {got.DataContentType(), want.DataContentType()},
		"schema": {got.DataSchema(), want.DataSchema()}, "time": {got.Time().UTC().String(), want.Time().UTC().String()},
		"data": {string(got.Data()), string(want.Data())},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", name, pair[0], pair[1])
		}
	}
	if len(a.Extensions) != len(b.Extensions) {
		t.Errorf("extensions: got %v, want %v", a.Extensions, b.Extensions)
	}
	for name, v := range b.Extensions {
		x, err1 := types.Format(a.Extensions[name])
		y, err2 := types.Format(v)
		if x != y || err1 != nil || err2 != nil {
			t.Errorf("extension %s: got %q %v, want %q %v", name, x, err1, y, err2)
		}
	}
}

func TestCodecAgreesWithTheSDK(t *testing.T) {
	for name, ev := range samples(t) {
		t.Run(name, func(t *testing.T) {
			for _, structured := range []bool{false, true} {
				ours := &kgo.Record{}
				enc := encode
				if structured {
					enc = encodeStructured
				}
				if err := enc(&ev, ours); err != nil {
					t.Fatal(err)
				}
				theirs, err := sdkEncode(ev, structured)
				if err != nil {
					t.Fatal(err)
				}
				fromOurs, err := sdkDecode(ours)
				if err != nil {
					t.Fatalf("the SDK refuses our record: %v", err)
				}
				sameEvent(t, *fromOurs, ev)
				for _, r := range []*kgo.Record{ours, theirs} {
					got, err := decode(r)
					if err != nil {
						t.Fatal(err)
					}
					sameEvent(t, got, ev)
				}
			}
		})
	}
}

func TestEncodeLeavesTheEventAlone(t *testing.T) {
	ev := mustEvent(t, map[string]int{"a": 1})
	before, _ := json.Marshal(ev)
	if err := encode(&ev, &kgo.Record{}); err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(ev); !bytes.Equal(before, after) {
		t.Errorf("changed: %s", after)
	}
}

// vector is one case of schemas/vectors/cloudevents-kafka.json, which other languages read too.
type vector struct {
	Name    string          `json:"name"`
	Event   json.RawMessage `json:"event"`
	Key     *string         `json:"key"`
	Headers [][2]string     `json:"headers"`
	Value   *string         `json:"value"`
}

func TestGoldenVectors(t *testing.T) {
	b, err := os.ReadFile("../../schemas/vectors/cloudevents-kafka.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(b, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 4 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			ev, err := events.ParseJSON(v.Event)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Encode(ev)
			if err != nil {
				t.Fatal(err)
			}
			var headers [][2]string
			for _, h := range r.Headers {
				headers = append(headers, [2]string{h.Key, string(h.Value)})
			}
			got, _ := json.Marshal([]any{text(r.Key), headers, text(r.Value)})
			want, _ := json.Marshal([]any{v.Key, v.Headers, v.Value})
			if !bytes.Equal(got, want) {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			back, err := Decode(r)
			if err != nil {
				t.Fatal(err)
			}
			sameEvent(t, back, ev)
		})
	}
}

func text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

func TestDecodeRefusesWhatIsNoEvent(t *testing.T) {
	binary := func(pairs ...string) events.Record {
		r := events.Record{Value: []byte("{}")}
		for i := 0; i < len(pairs); i += 2 {
			r.Headers = append(r.Headers, events.RecordHeader{Key: pairs[i], Value: []byte(pairs[i+1])})
		}
		return r
	}
	structured := func(body string) events.Record {
		r := binary("content-type", "application/cloudevents+json; charset=utf-8")
		r.Value = []byte(body)
		return r
	}
	for name, c := range map[string]struct {
		r    events.Record
		says string
	}{
		"nothing":           {events.Record{}, "neither a ce_specversion header"},
		"plain JSON":        {binary("content-type", "application/json"), "neither a ce_specversion header"},
		"batch":             {binary("content-type", "application/cloudevents-batch+json"), "neither"},
		"old version":       {binary("ce_specversion", "0.3", "ce_id", "1", "ce_source", "s", "ce_type", "t"), "specversion"},
		"no id":             {binary("ce_specversion", "1.0", "ce_source", "s", "ce_type", "t"), "id: MUST be a non-empty"},
		"no source":         {binary("ce_specversion", "1.0", "ce_id", "1", "ce_type", "t"), "source: REQUIRED"},
		"bad time":          {binary("ce_specversion", "1.0", "ce_id", "1", "ce_source", "s", "ce_type", "t", "ce_time", "noon"), "time: want RFC 3339"},
		"bad UTF-8":         {binary("ce_specversion", "1.0", "ce_id", "\xff"), `header "ce_id" is not UTF-8`},
		"bad name":          {binary("ce_specversion", "1.0", "ce_a_b", "1"), `attribute "a_b"`},
		"extension as data": {binary("ce_specversion", "1.0", "ce_data", "1"), `attribute "data"`},
		"truncated":         {structured(`{"specversion":"1.0"`), "want a JSON object"},
		"array":             {structured(`[]`), "want a JSON object"},
		"bad base64":        {structured(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":1}`), "data_base64: want a string"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(c.r)
			if !errors.Is(err, events.ErrNotEvent) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestDecodeForgivesHeaderCase(t *testing.T) {
	ev, err := Decode(events.Record{Headers: []events.RecordHeader{
		{Key: "CE_SpecVersion", Value: []byte("1.0")}, {Key: "Ce_Id", Value: []byte("1")}, {Key: "ce_source", Value: []byte("s")},
		{Key: "ce_TYPE", Value: []byte("t")}, {Key: "Content-Type", Value: []byte("text/csv")}, {Key: "other", Value: []byte("\xff")},
	}})
	if err != nil || ev.ID() != "1" || ev.DataContentType() != "text/csv" || len(ev.Extensions()) != 0 {
		t.Errorf("%v %v", ev, err)
	}
}

// FuzzDecodeBinary: what is accepted, the SDK accepts as the same event, and it survives another round.
func FuzzDecodeBinary(f *testing.F) {
	f.Add("1.0", "id", "src", "typ", "2026-01-02T15:04:05Z", "application/json", "sub", "ext", "v", []byte(`{"a":1}`))
	f.Add("1.0", "\xff", "::", "", "noon", "a/b;c", "", "data", "", []byte(nil))
	f.Fuzz(func(t *testing.T, version, id, source, typ, at, content, subject, ext, extValue string, value []byte) {
		r := &kgo.Record{Value: value}
		for _, h := range [][2]string{{"ce_specversion", version}, {"ce_id", id}, {"ce_source", source}, {"ce_type", typ}, {"ce_time", at},
			{"content-type", content}, {"ce_subject", subject}, {"ce_" + ext, extValue}} {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		ev, err := decode(r)
		if err != nil {
			if !errors.Is(err, events.ErrNotEvent) {
				t.Fatal(err)
			}
			return
		}
		again := &kgo.Record{}
		if err := encode(&ev, again); err != nil {
			t.Fatal(err)
		}
		theirs, err := sdkDecode(again)
		if err != nil {
			t.Fatalf("the SDK refuses what we accept: %v", err)
		}
		sameEvent(t, *theirs, ev)
	})
}

// FuzzDecodeStructured: no input panics, and what is accepted survives a round through the SDK's writer.
func FuzzDecodeStructured(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":[1,2]},"x":1}`))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AAE=","datacontenttype":"a/b"}`))
	f.Add([]byte(`{"data_base64":1,"specversion":"1.0"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &kgo.Record{Value: body, Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(structuredType)}}}
		ev, err := decode(r)
		if err != nil {
			if !errors.Is(err, events.ErrNotEvent) {
				t.Fatal(err)
			}
			return
		}
		again := &kgo.Record{}
		if err := encodeStructured(&ev, again); err != nil {
			t.Fatal(err)
		}
		back, err := decode(again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again.Value)
		}
		sameEvent(t, back, ev)
	})
}
