package ingest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestOneEvent(t *testing.T) {
	w := newWorld(t, nil)
	binary := []string{"ce-specversion", "1.0", "ce-id", "b", "ce-source", "/test", "ce-type", arrived}
	for name, a := range map[string]answer{
		"structured": w.structured(flight("s", `,"time":"2026-01-02T03:04:05Z","subject":"UA 1","partitionkey":"k","n":7,"yes":true`)),
		"binary":     w.post("/v1/events", `{"delay":3}`, append(binary, "Content-Type", "application/json", "ce-subject", "Z%C3%BCrich%20%25", "ce-partitionkey", `"k\"q"`)...),
		"base64":     w.structured(strings.Replace(flight("6", ""), `"data":{"delay":3}`, `"data_base64":"eyJkZWxheSI6M30="`, 1)),
		"gzip": w.post("/v1/events", zipped(t, flight("z", "")), "Content-Type", mediaStructured+"; charset=UTF-8", "Content-Encoding", "gzip",
			"Idempotency-Key", "once"),
	} {
		if pos := a.header.Get("Signalbox-Position"); a.status != 202 || !strings.HasPrefix(pos, "events.flights/") || a.body != "" {
			t.Errorf("%s: %d %q %s", name, a.status, pos, a.body)
		}
	}
	seen := 0
	for _, ev := range w.logged("events.flights") {
		seen++
		if string(ev.Data()) != `{"delay":3}` || ev.DataContentType() != "application/json" || ev.Time().IsZero() || ev.Type() != arrived || ev.Source() != "/test" {
			t.Errorf("logged %s", ev)
		}
		switch ev.ID() {
		case "s":
			if ev.Time().Unix() != 1767323045 || ev.Subject() != "UA 1" || ev.Extensions()["n"] != "7" || ev.Extensions()["yes"] != "true" {
				t.Errorf("structured: %s", ev)
			}
		case "b":
			if ev.Subject() != "Zürich %" || ev.Extensions()["partitionkey"] != `k"q` {
				t.Errorf("binary: %s", ev)
			}
		}
	}
	if seen != 4 {
		t.Errorf("%d events are logged", seen)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t, nil)
	is := func(headers ...string) []string { return append([]string{"Content-Type", mediaStructured}, headers...) }
	ce := func(headers ...string) []string {
		return append([]string{"ce-specversion", "1.0", "ce-id", "b", "ce-source", "/test", "ce-type", arrived, "Content-Type", "application/json"}, headers...)
	}
	without := func(member string) string { return strings.Replace(flight("x", ""), member, "", 1) }
	for name, c := range map[string]struct {
		body    string
		headers []string
		status  int
		code    string
		detail  string
	}{
		"no JSON":              {`{"id":`, is(), 400, "malformed", "JSON"},
		"no object":            {`[]`, is(), 400, "malformed", "JSON object"},
		"no UTF-8":             {"{\"id\":\"\xff\"}", is(), 400, "malformed", "UTF-8"},
		"id missing":           {without(`"id":"x",`), is(), 400, "malformed", "id"},
		"source missing":       {without(`"source":"/test",`), is(), 400, "malformed", "source"},
		"type missing":         {without(`"type":"` + arrived + `",`), is(), 400, "malformed", "type"},
		"specversion missing":  {without(`"specversion":"1.0",`), is(), 400, "malformed", "specversion"},
		"specversion 0.3":      {strings.Replace(flight("x", ""), "1.0", "0.3", 1), is(), 400, "malformed", "1.0"},
		"bad time":             {flight("x", `,"time":"noon"`), is(), 400, "malformed", "RFC 3339"},
		"bad extension":        {flight("x", `,"Upper":"x"`), is(), 400, "malformed", "lower-case"},
		"NUL in the id":        {flight(`x\u0000`, ""), is(), 400, "malformed", `"id": control character`},
		"NUL in the subject":   {flight("x", `,"subject":"a\u0000b"`), is(), 400, "malformed", "subject"},
		"NUL in an extension":  {flight("x", `,"ext":"\u0000"`), is(), 400, "malformed", "ext"},
		"NUL in a header":      {`{"delay":3}`, ce("ce-subject", "a%00b"), 400, "malformed", "subject"},
		"newline in the id":    {flight(`x\n`, ""), is(), 400, "malformed", "control character"},
		"empty partitionkey":   {flight("x", `,"partitionkey":""`), is(), 400, "malformed", "partitionkey"},
		"stray percent sign":   {`{"delay":3}`, ce("ce-subject", "50% off"), 400, "malformed", "%25"},
		"header is no UTF-8":   {`{"delay":3}`, ce("ce-subject", "%ff"), 400, "malformed", "UTF-8"},
		"content type twice":   {`{"delay":3}`, ce("ce-datacontenttype", "text/plain"), 400, "malformed", "Content-Type"},
		"binary, no version":   {`{"delay":3}`, []string{"ce-id", "x"}, 400, "malformed", "ce-specversion"},
		"long idempotency key": {flight("x", ""), is("Idempotency-Key", strings.Repeat("k", 256)), 400, "bad_idempotency_key", "255"},
		"damaged gzip":         {zipped(t, flight("x", ""))[:40], is("Content-Encoding", "gzip"), 400, "malformed", "again"},
		"no gzip":              {flight("x", ""), is("Content-Encoding", "gzip"), 400, "malformed", "gzip"},
		"batch is no array":    {flight("x", ""), []string{"Content-Type", mediaBatch}, 400, "malformed", "array"},
		"batch ends early":     {"[" + flight("x", ""), []string{"Content-Type", mediaBatch}, 400, "malformed", "batch"},
		"batch has a tail":     {"[" + flight("x", "") + "]]", []string{"Content-Type", mediaBatch}, 400, "malformed", "after"},
		"reserved type":        {strings.Replace(flight("x", ""), arrived, "dev.signalbox.dataset.ready", 1), is(), 403, "reserved_type", "own"},
		"plain JSON":           {`{"delay":3}`, []string{"Content-Type", "application/json"}, 415, "unsupported_media_type", "ce- headers"},
		"other format":         {`x`, []string{"Content-Type", "application/cloudevents+avro"}, 415, "unsupported_media_type", mediaStructured},
		"other charset":        {flight("x", ""), []string{"Content-Type", mediaStructured + "; charset=utf-16"}, 415, "unsupported_media_type", "UTF-8"},
		"other encoding":       {flight("x", ""), is("Content-Encoding", "br"), 415, "unsupported_media_type", "gzip"},
		"twice encoded":        {flight("x", ""), is("Content-Encoding", "gzip, gzip"), 415, "unsupported_media_type", "gzip"},
		"data is no JSON":      {`<delay/>`, ce("Content-Type", "text/xml"), 415, "unsupported_media_type", "JSON"},
		"unknown type":         {strings.Replace(flight("x", ""), arrived, "com.example.unheard", 1), is(), 422, "unknown_type", "declare"},
		"schema violation":     {strings.Replace(flight("x", ""), "3", `"3"`, 1), is(), 422, "schema_violation", "/delay: got string, want integer"},
		"member missing":       {strings.Replace(flight("x", ""), `"delay":3`, ``, 1), is(), 422, "schema_violation", "delay"},
		"no data":              {without(`,"data":{"delay":3}`), is(), 422, "schema_violation", "no data"},
		"data is half JSON":    {`{"delay":`, ce(), 422, "schema_violation", "want JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			a := w.post("/v1/events", c.body, c.headers...)
			if a.status != c.status || a.doc.Code != c.code || !strings.Contains(a.doc.Detail, c.detail) || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %d %s, want %d %s with %q", a.status, a.body, c.status, c.code, c.detail)
			}
			if c.code == "schema_violation" && (len(a.doc.Errors) == 0 || strings.HasPrefix(c.detail, "/") && a.doc.Errors[0].Pointer != "/delay") {
				t.Errorf("faults %v", a.doc.Errors)
			}
		})
	}
	if n := len(w.logged("events.flights")); n != 0 {
		t.Errorf("%d refused events are in the log", n)
	}
}

func TestWhoMayPublish(t *testing.T) {
	w := newWorld(t, nil)
	for role, want := range map[auth.Role]int{
		auth.Producer: 202, auth.Admin: 202, auth.Viewer: 403, auth.Predictor: 403, auth.Trainer: 403, auth.Promoter: 403, "nobody": 401,
	} {
		if a := w.post("/v1/events", flight("x", ""), "Content-Type", mediaStructured, "Authorization", "Bearer "+w.tokens[role]); a.status != want {
			t.Errorf("%s: %d, want %d", role, a.status, want)
		}
	}
}

func TestSizes(t *testing.T) {
	w := newWorld(t, nil)
	pad := func(id string, size int) string {
		ev := strings.Replace(flight(id, ""), `"delay":3`, `"delay":3,"pad":""`, 1)
		return strings.Replace(ev, `"pad":"`, `"pad":"`+strings.Repeat("x", size-len(ev)), 1)
	}
	list := func(n int, ev string) string { return "[" + strings.Repeat(ev+",", n-1) + ev + "]" }
	for name, c := range map[string]struct {
		body, media, encoding string
		status                int
	}{
		"an event of 1 MiB":              {pad("most", maxEvent), mediaStructured, "", 202},
		"one byte more":                  {pad("more", maxEvent+1), mediaStructured, "", 413},
		"1 MiB, packed":                  {zipped(t, pad("most-z", maxEvent)), mediaStructured, "gzip", 413}, // more than a hundredfold
		"a batch of 1,000":               {list(1000, flight("thousand", "")), mediaBatch, "", 200},
		"a batch of 1,001":               {list(1001, flight("x", "")), mediaBatch, "", 413},
		"a batch of 8 MiB":               {list(8, pad("eight", maxEvent-2)), mediaBatch, "", 200},
		"a batch of more":                {list(9, pad("x", maxEvent-2)), mediaBatch, "", 413},
		"a batch of more, packed":        {zipped(t, list(9, pad("x", maxEvent-2))), mediaBatch, "gzip", 413},
		"an empty batch":                 {"[]", mediaBatch, "", 200},
		"many attributes":                {flight("x", `,"a":"`+strings.Repeat("x", maxAttributes)+`"`), mediaStructured, "", 413},
		"a thousand alike, honestly zip": {zipped(t, list(1000, flight("alike", ""))), mediaBatch, "gzip", 200},
	} {
		a := w.post("/v1/events", c.body, "Content-Type", c.media, "Content-Encoding", c.encoding)
		if a.status != c.status {
			t.Errorf("%s: %d %.300s, want %d", name, a.status, a.body, c.status)
		}
	}
	// The body's length may be unknown until it ends.
	endless := struct{ *strings.Reader }{strings.NewReader(pad("x", maxEvent+1))}
	if a := w.send("/v1/events", endless, "Content-Type", mediaStructured); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked: %d %s", a.status, a.body)
	}
	got := w.count("events.flights")
	if got["most"] != 1 || got["thousand"] != 1000 || got["eight"] != 8 || got["alike"] != 1000 || len(got) != 4 {
		t.Errorf("logged %v", got)
	}
	if left := w.server.bytes.left.Load(); left != w.server.cfg.MaxBytes || w.server.events.left.Load() != w.server.cfg.MaxEvents {
		t.Errorf("budget left %d", left)
	}
}
