package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// taker takes batches as the server does. Events whose data says so are refused.
type taker struct {
	t     *testing.T
	sizes []int
	seen  []struct {
		ID, Type, Source, Subject, SpecVersion string
		Data                                   struct{ Bad bool }
	}
}

func (k *taker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil || r.URL.Path != "/v1/events" || len(b) > 8<<20 {
		k.t.Errorf("%s, %d bytes, %v", r.URL, len(b), err)
	}
	first := len(k.seen)
	batch := k.seen[:0:0]
	if err := json.Unmarshal(b, &batch); err != nil {
		k.t.Errorf("%v: %.200s", err, b)
	}
	k.seen, k.sizes = append(k.seen, batch...), append(k.sizes, len(batch))
	var results []map[string]any
	status := http.StatusOK
	for i, ev := range batch {
		res := map[string]any{"index": i, "id": ev.ID, "status": 202, "position": fmt.Sprintf("events.orders/0/%d", first+i)}
		if ev.Data.Bad {
			status = http.StatusMultiStatus
			res = map[string]any{"index": i, "id": ev.ID, "status": 422, "code": "schema_violation", "detail": "/data/bad: is not known"}
		}
		results = append(results, res)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"results": results}) // a test would see what is missing
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"specversion":"1.0","id":"e-%d","source":"/t","type":"order.paid","data":{"bad":%t}}`+"\n", i+1, i == 1 || i == 1001)
	}
	return b.String()
}

func TestEmitOneEvent(t *testing.T) {
	k := &taker{t: t}
	out := execute(t.Context(), serve(t, k), "", "emit", "--type", "order.paid", "--subject", "o-17", "--event-data", `{"amount": 12.5}`).ok(t)
	if len(k.seen) != 1 || out != "events.orders/0/0  "+k.seen[0].ID+"\n" {
		t.Fatalf("printed %q, sent %+v", out, k.seen)
	}
	if ev := k.seen[0]; ev.SpecVersion != "1.0" || ev.Type != "order.paid" || ev.Subject != "o-17" || ev.Source != "/signalbox-cli" || ev.ID == "" {
		t.Errorf("sent %+v", ev)
	}
}

// TestEmitAgain: the event that flags describe can be sent again as the same event, though its id was made up.
func TestEmitAgain(t *testing.T) {
	var ids []string
	answers := []string{`{"title":"Service Unavailable","detail":"the log is away"}`, `{"results":[]}`, `{"title":"Forbidden","detail":"no"}`}
	env := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var batch []struct{ ID string }
		if err := json.NewDecoder(r.Body).Decode(&batch); err != nil || len(batch) != 1 {
			t.Errorf("%v, %d events", err, len(batch))
			return
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader([]int{http.StatusServiceUnavailable, http.StatusOK, http.StatusForbidden}[len(ids)])
		_, _ = w.Write([]byte(answers[len(ids)])) // a test would see what is missing
		ids = append(ids, batch[0].ID)
	}))
	once := []string{"emit", "--type", "order.paid", "--event-data", "{}"}
	r := execute(t.Context(), env, "", once...)
	if len(ids) != 1 || ids[0] == "" {
		t.Fatalf("sent %q", ids)
	}
	then := "send it again with --id "
	r.fails(t, "emit event "+ids[0]+":", "the log is away", then+ids[0])
	_, id, _ := strings.Cut(strings.TrimSpace(r.err), then)
	execute(t.Context(), env, "", append(once, "--id", id)...).fails(t, "answered for 0 events", then+id)
	if ids[1] != ids[0] {
		t.Errorf("sent again as %q, and it was %q", ids[1], ids[0])
	}
	execute(t.Context(), env, "", append(once, "--id", "o-1")...).fails(t, "emit event o-1:", "it is not in the log")
	k := &taker{t: t}
	same(t, execute(t.Context(), serve(t, k), "", append(once, "--id", "o-2")...).ok(t), "events.orders/0/0  o-2")
	execute(t.Context(), env, "", append(once, "--id", "")...).fails(t, "--id is empty")
	execute(t.Context(), nil, "", "emit", "-f", "-", "--id", "o-1").fails(t, "file", "id")
}

func TestEmitSaysWhichFailed(t *testing.T) {
	k := &taker{t: t}
	r := execute(t.Context(), serve(t, k), lines(3), "emit", "-f", "-")
	r.fails(t, "1 of 3 events are not in the log", "event 2 (id e-2): 422 schema_violation: /data/bad: is not known")
	same(t, r.out, "events.orders/0/0  e-1\nevents.orders/0/2  e-3")
}

func TestEmitInRequestsThatFit(t *testing.T) {
	k := &taker{t: t}
	r := execute(t.Context(), serve(t, k), lines(1002), "emit", "-f", "-", "-o", "json")
	r.fails(t, "2 of 1002", "event 2 (id e-2)", "event 1002 (id e-1002)")
	if fmt.Sprint(k.sizes) != "[1000 2]" || k.seen[1001].ID != "e-1002" {
		t.Errorf("sent batches of %v", k.sizes)
	}
	var doc struct{ Results []struct{ Index int } }
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || len(doc.Results) != 1002 || doc.Results[1001].Index != 1001 {
		t.Errorf("%v: %d results", err, len(doc.Results))
	}

	k = &taker{t: t}
	large := fmt.Sprintf(`{"id":"e","data":{"text":%q}}`, strings.Repeat("x", 3<<20))
	execute(t.Context(), serve(t, k), "["+strings.Repeat(large+",", 4)+large+"]", "emit", "-f", "-").ok(t)
	if fmt.Sprint(k.sizes) != "[2 2 1]" {
		t.Errorf("sent batches of %v", k.sizes)
	}
}

func TestEmitStopsWhereItCannotRead(t *testing.T) {
	for name, c := range map[string]struct {
		in, want string
		sent     int
	}{
		"broken line":      {lines(1) + `{"id":`, "event 2 is not JSON", 0},
		"after a request":  {strings.ReplaceAll(lines(1000), "true", "false") + "nonsense", "event 1001 is not JSON", 1000},
		"no object":        {`[{"id":"a"}, 7]`, "event 2 is no JSON object", 0},
		"array cut off":    {`[{"id":"a"}`, "the array of events does not end", 0},
		"behind the array": {`[{"id":"a"}] {"id":"b"}`, "something follows the array of events", 0},
		"nothing":          {" \n", "there are no events in it", 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := &taker{t: t}
			execute(t.Context(), serve(t, k), c.in, "emit", "-f", "-").fails(t, c.want)
			if len(k.seen) != c.sent {
				t.Errorf("%d events were sent, want %d", len(k.seen), c.sent)
			}
		})
	}
}

func TestEmitTellsKnownFromUnknown(t *testing.T) {
	for _, c := range []struct {
		answer any
		want   string
	}{
		{problem(403, `{"title":"Forbidden","detail":"this needs the permission events.publish"}`), "none of them is in the log"},
		{problem(503, `{"title":"Service Unavailable","detail":"the log is away"}`), "send them again with the same ids"},
		{`{"results":[]}`, "the server answered for 0 events"},
	} {
		env := serve(t, canned{"POST /v1/events": c.answer})
		execute(t.Context(), env, lines(1), "emit", "-f", "-").fails(t, "emit events 1 to 1", c.want)
	}
	execute(t.Context(), nil, "", "emit", "--type", "a", "--event-data", "{").fails(t, "--event-data is not JSON")
	execute(t.Context(), nil, "", "emit", "--type", "a", "--event-data", "1", "-f", "x").fails(t, "file")
	execute(t.Context(), nil, "", "emit", "--type", "a", "--data", "{}").fails(t, "event-data")
	execute(t.Context(), nil, "", "emit").fails(t, "file")
	execute(t.Context(), nil, "", "emit", "-f", "/nowhere").fails(t, "/nowhere")
}

func FuzzObjectReader(f *testing.F) {
	for _, seed := range []string{"", "[", "[]", "{}", "{} {}", "[{},{}]", "[{}]x", "[{}", "{\"a\":", "[null]", "\xef\xbb\xbf{}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := newObjectReader(strings.NewReader(text), "event")
		if err != nil {
			return
		}
		for n := 0; ; n++ {
			v, err := r.next()
			if err != nil {
				return
			}
			if n > len(text) || !json.Valid(v) || v[0] != '{' {
				t.Fatalf("object %d of %q is %q", n, text, v)
			}
		}
	})
}
