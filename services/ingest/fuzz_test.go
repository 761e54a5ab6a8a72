package ingest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/registry/streams"
)

// survives checks that what was accepted can be written to the log and read back from it as the same event.
func survives(t *testing.T, it *item) {
	if it.fault != nil {
		if it.fault.Status/100 != 4 || it.fault.Detail == "" || len(it.fault.Detail) > maxDetail+3 {
			t.Errorf("fault %d %q", it.fault.Status, it.fault.Detail)
		}
		return
	}
	r, err := kafka.Encode(it.ev)
	if err != nil {
		t.Fatalf("accepted and cannot be written: %v", err)
	}
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value)
		if bytes.IndexByte(h.Value, 0) >= 0 {
			t.Errorf("header %s holds U+0000", h.Key)
		}
	}
	if size > maxEvent+64<<10 {
		t.Errorf("accepted with %d bytes, for which topics have no room", size)
	}
	back, err := kafka.Decode(r)
	if err != nil || back.ID() != it.id || back.Type() != it.ev.Type() || back.Source() != it.ev.Source() || !bytes.Equal(back.Data(), it.ev.Data()) {
		t.Errorf("accepted %s, read back %s: %v", it.ev, back, err)
	}
}

func FuzzStructured(f *testing.F) {
	for _, s := range []string{
		flight("a", `,"subject":"s","n":1,"b":true,"time":"2026-01-02T03:04:05Z","dataschema":"https://example.org/s"`), flight(`\u0000`, ""),
		flight("a", `,"partitionkey":"k"`), `{"specversion":"1.0","id":"\ud800","source":"%","type":"t","data_base64":"AA=="}`, `7`, `{"id":{}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		it := decodeJSON(b)
		survives(t, &it)
	})
}

func FuzzBinary(f *testing.F) {
	f.Add("a", "/s", "t", `"q\"%41"`, "application/json", []byte(`{}`))
	f.Add("%00", "%", "", "%zz", "x", []byte(nil))
	f.Fuzz(func(t *testing.T, id, source, typ, subject, media string, body []byte) {
		h := http.Header{
			"Ce-Specversion": {"1.0"}, "Ce-Id": {id}, "Ce-Source": {source}, "Ce-Type": {typ}, "Ce-Subject": {subject},
			"Ce-Partitionkey": {subject}, "Content-Type": {media},
		}
		if len(body) > maxEvent {
			return // the body is cut before
		}
		list, err := split(formBinary, body)
		if err != nil || len(list) != 1 {
			t.Fatalf("%d events, %v", len(list), err)
		}
		survives(t, decode(formBinary, h, list)[0])
	})
}

func FuzzBatch(f *testing.F) {
	for _, s := range []string{"[]", "[" + flight("a", "") + "," + flight("b", "") + "]", "[1 2]", "[1,]", "[[[]]]", "[1]x", "{}", "[", "[" + strings.Repeat("1,", 1001) + "1]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want []json.RawMessage
		bad := json.Unmarshal(b, &want) != nil || want == nil || len(want) > maxBatch
		list, err := split(formBatch, b)
		if (err != nil) != bad || err == nil && len(list) != len(want) {
			t.Fatalf("%d events, %v, want %d", len(list), err, len(want))
		}
		for _, it := range decode(formBatch, nil, list) {
			survives(t, it)
		}
	})
}

func FuzzGzip(f *testing.F) {
	f.Add([]byte(zipped(f, flight("a", ""))), true)
	f.Add([]byte(zipped(f, strings.Repeat("x", 2<<20))), true)
	f.Add([]byte(zipped(f, "a")+zipped(f, "b")+"tail"), true)
	f.Add([]byte("plain"), false)
	f.Fuzz(func(t *testing.T, b []byte, packed bool) {
		const limit, budget = 64 << 10, 100 << 10
		r := httptest.NewRequest("POST", "/v1/events", io.NopCloser(bytes.NewReader(b)))
		if packed {
			r.Header.Set("Content-Encoding", "gzip")
		}
		all := newBudget(budget)
		l := all.lease()
		got, err := read(httptest.NewRecorder(), r, limit, l)
		if len(got) > limit || int64(cap(got)) > l.held || l.held > limit+1 {
			t.Errorf("%d bytes of %d, %d leased", len(got), cap(got), l.held)
		}
		if !packed && (err != nil || !bytes.Equal(got, b)) && len(b) <= limit {
			t.Errorf("%d bytes of %d, %v", len(got), len(b), err)
		}
		if l.end(); all.left.Load() != budget {
			t.Errorf("%d of the budget left", all.left.Load())
		}
	})
}

// FuzzJudge: no data gets past a schema that it does not fit.
func FuzzJudge(f *testing.F) {
	docs, err := spec.Parse([]byte(declared))
	if err != nil {
		f.Fatal(err)
	}
	m := registrytest.NewMemory()
	for _, d := range docs {
		if _, _, err := m.PutSpec(f.Context(), registry.Spec{Kind: d.Kind, Name: d.Metadata.Name, Body: d.Spec}); err != nil {
			f.Fatal(err)
		}
	}
	directory, err := streams.New(streams.Config{Specs: m})
	if err != nil {
		f.Fatal(err)
	}
	table, err := directory.After(f.Context(), time.Now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"delay":1}`), arrived)
	f.Add([]byte(`{"delay":"1"}`), paid)
	f.Add([]byte(`{"delay":1`), "dev.signalbox.run.started")
	f.Fuzz(func(t *testing.T, data []byte, typ string) {
		it := &item{ev: events.Blank()}
		it.ev.SetType(typ)
		it.ev.DataEncoded = data
		judge(table, it)
		if known := typ == arrived || typ == paid; it.fault == nil && (!known || !json.Valid(data)) {
			t.Errorf("%q of type %q is accepted", data, typ)
		}
	})
}
