package ingest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry/remote"
)

func TestMixedBatch(t *testing.T) {
	w := newWorld(t, nil)
	big := strings.Replace(flight("big", ""), `"delay":3`, `"delay":3,"pad":"`+strings.Repeat("x", maxEvent)+`"`, 1)
	body := "[" + strings.Join([]string{
		flight("a", ""), `7`, strings.Replace(flight("bad", ""), "3", "null", 1), strings.Replace(flight("run", ""), arrived, "dev.signalbox.run.started", 1),
		strings.Replace(flight("order", ""), arrived, paid, 1), strings.Replace(flight("new", ""), arrived, "com.example.new", 1), big,
		strings.Replace(flight("old", ""), "1.0", "0.3", 1), flight("b", ""),
	}, ",") + "]"
	got, err := w.client.EmitJSON(t.Context(), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []remote.EmitResult{
		{ID: "a", Status: 202}, {Status: 400, Code: "malformed"}, {ID: "bad", Status: 422, Code: "schema_violation"},
		{ID: "run", Status: 403, Code: "reserved_type"}, {ID: "order", Status: 202}, {ID: "new", Status: 422, Code: "unknown_type"},
		{ID: "big", Status: 413, Code: "too_large"}, {ID: "old", Status: 400, Code: "malformed"}, {ID: "b", Status: 202},
	} {
		g := got[i]
		if g.Index != i || g.ID != want.ID || g.Status != want.Status || g.Code != want.Code || (g.Position != "") != (g.Status == 202) || g.Retryable {
			t.Errorf("event %d: %+v, want %+v", i, g, want)
		}
	}
	a := w.batch(body)
	if a.status != 207 || a.header.Get("Retry-After") != "" || len(a.doc.Results) != 9 {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if n, m := w.count("events.flights"), w.count("events.orders"); n["a"] != 2 || n["b"] != 2 || len(n) != 2 || m["order"] != 2 || len(m) != 1 {
		t.Errorf("logged %v and %v", n, m)
	}
}

func TestBatchKeepsOrder(t *testing.T) {
	w := newWorld(t, nil)
	types := []string{arrived, paid}
	var evs []events.Event
	for i := range 1000 {
		ev, err := events.New(types[i%2], "/test", "", strconv.Itoa(i), time.Unix(1, 0), map[string]int{"delay": i})
		ev.SetSubject("key-" + strconv.Itoa(i%10))
		if err != nil {
			t.Fatal(err)
		}
		evs = append(evs, ev)
	}
	got, err := w.client.Emit(t.Context(), evs)
	if err != nil || len(got) != len(evs) {
		t.Fatalf("%d results, %v", len(got), err)
	}
	last := map[string]events.Position{}
	at := map[string]bool{}
	for i, r := range got {
		var pos events.Position
		parts := strings.Split(r.Position, "/")
		if _, err := fmt.Sscanf(strings.Join(parts[1:], " "), "%d %d", &pos.Partition, &pos.Offset); err != nil || r.Status != 202 || r.ID != evs[i].ID() || at[r.Position] {
			t.Fatalf("result %d: %+v %v", i, r, err)
		}
		at[r.Position] = true
		key := evs[i].Type() + evs[i].Subject()
		if prev, ok := last[key]; ok && (prev.Partition != pos.Partition || prev.Offset >= pos.Offset) {
			t.Errorf("%s: %v after %v", key, pos, prev)
		}
		last[key] = pos
	}
	for _, topic := range []string{"events.flights", "events.orders"} {
		next := map[string]int{}
		for _, ev := range w.logged(topic) {
			n, err := strconv.Atoi(ev.ID())
			if err != nil || n < next[ev.Subject()] {
				t.Errorf("%s: %s after %d", topic, ev.ID(), next[ev.Subject()])
			}
			next[ev.Subject()] = n
		}
	}
}

func TestBatchOfWhichNothingIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	bad := strings.Replace(flight("bad", ""), "3", `"3"`, 1)
	for name, c := range map[string]struct {
		list []string
		want remote.Error
	}{
		"one":      {[]string{bad}, remote.Error{Status: 422, Code: "schema_violation", Detail: "/delay"}},
		"alike":    {[]string{bad, bad}, remote.Error{Status: 422, Code: "schema_violation", Detail: "none of the 2 events"}},
		"unlike":   {[]string{bad, "7"}, remote.Error{Status: 422, Code: "batch_refused", Detail: "see results"}},
		"reserved": {[]string{strings.Replace(bad, arrived, "dev.signalbox.x.y", 1)}, remote.Error{Status: 403, Code: "reserved_type"}},
	} {
		_, err := w.client.EmitJSON(t.Context(), []byte("["+strings.Join(c.list, ",")+"]"))
		var got *remote.Error
		if !errors.As(err, &got) || got.Status != c.want.Status || got.Code != c.want.Code || !strings.Contains(got.Detail, c.want.Detail) {
			t.Fatalf("%s: %v", name, err)
		}
		var doc struct{ Results []remote.EmitResult }
		if err := json.Unmarshal(got.Body, &doc); err != nil || len(doc.Results) != len(c.list) || doc.Results[0].Status/100 != 4 {
			t.Errorf("%s: %s %v", name, got.Body, err)
		}
	}
}

func TestAtomicBatch(t *testing.T) {
	w := newWorld(t, nil)
	post := func(query, body string) answer {
		return w.post("/v1/events?atomic="+query, body, "Content-Type", mediaBatch)
	}
	a := post("true", "["+flight("a", "")+","+strings.Replace(flight("bad", ""), "3", `"3"`, 1)+"]")
	if a.status != 422 || a.doc.Code != "batch_refused" || len(a.doc.Results) != 2 || a.doc.Results[0].Status != 424 || !a.doc.Results[0].Retryable ||
		a.doc.Results[1].Code != "schema_violation" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := post("perhaps", "[]"); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := post("true", "["+flight("b", "")+"]"); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if got := w.count("events.flights"); len(got) != 1 || got["b"] != 1 {
		t.Errorf("logged %v", got)
	}
}

// TestAtomicIsNoTransaction: once all were admitted, the log may still take only some, and the answer says which.
func TestAtomicIsNoTransaction(t *testing.T) {
	w := newWorld(t, nil)
	w.apply(strings.NewReplacer("name: orders", "name: absent", paid, "com.example.absent").Replace(strings.Split(declared, "---")[1]))
	body := "[" + flight("a", "") + "," + strings.Replace(flight("b", ""), arrived, "com.example.absent", 1) + "]"
	a := w.post("/v1/events?atomic=true", body, "Content-Type", mediaBatch)
	if a.status != 207 || a.header.Get("Retry-After") == "" || a.doc.Results[0].Status != 202 || a.doc.Results[1].Code != "no_topic" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	if n := w.count("events.flights"); n["a"] != 1 {
		t.Errorf("logged %v", n)
	}
}
