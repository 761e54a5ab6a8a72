package e2e_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// dump prints the rows of Parquet files as lines of JSON, with a reader that none of us wrote.
const dump = `
import json, sys
import pyarrow.parquet as pq
for name in sys.argv[1:]:
    for row in pq.read_table(name).to_pylist():
        print(json.dumps(row, default=str))
`

// agreesWithDataset holds the features that DuckDB took from the archive against those that a client sees live.
func (w *world) agreesWithDataset(t *testing.T) {
	dec := json.NewDecoder(strings.NewReader(w.dataset(t, w.turnsDone[0].Dataset)))
	n, faults := 0, 0
	for ; dec.More() && faults < 10; n++ {
		var got map[string]any
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		row, ok := w.rows[got["flight_id"].(string)]
		if !ok {
			t.Errorf("the dataset has %v, which never departed", got["flight_id"])
			faults++
			continue
		}
		for name, want := range members(t, row) {
			if !same(got[name], want) {
				t.Errorf("%v: %s is %v in the dataset, %v at the desk", got["flight_id"], name, got[name], want)
				faults++
			}
		}
	}
	if int64(n) != w.turnsDone[0].Rows || n < 1000 {
		t.Errorf("%d rows, the dataset says %d", n, w.turnsDone[0].Rows)
	}
}

func members(t *testing.T, row flights.Features) map[string]any {
	t.Helper()
	b, err := json.Marshal(row)
	var m map[string]any
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// same compares JSON values; numbers to a hair, because one side divides microseconds.
func same(a, b any) bool {
	x, ok1 := a.(float64)
	y, ok2 := b.(float64)
	if ok1 && ok2 {
		return math.Abs(x-y) <= 1e-9*max(1, math.Abs(x))
	}
	return a == b
}

// dataset returns the rows of a dataset as lines of JSON.
func (w *world) dataset(t *testing.T, id string) string {
	t.Helper()
	var doc struct{ Manifest manifest.Dataset }
	if err := w.client.Get(t.Context(), "/v1/datasets/"+id, &doc); err != nil {
		t.Fatal(err)
	}
	args := []string{"-c", dump}
	b := w.bucket(t)
	for i, p := range doc.Manifest.Parts {
		body, _, err := b.Get(t.Context(), p.Key, bucket.Range{})
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		content, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(t.TempDir(), "part-"+string(rune('0'+i)))
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	out, err := exec.CommandContext(t.Context(), python, args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// runsOnce announces every dataset ten times more, shuffled. One partition keeps the order, so when the next dataset has
// its run, all repeats have been handled.
func (w *world) runsOnce(t *testing.T) {
	told := w.announcements(t)
	if len(told) != len(w.turnsDone) {
		t.Fatalf("%d datasets were announced, %d turns", len(told), len(w.turnsDone))
	}
	var again []events.Event
	for range 10 {
		again = append(again, told...)
	}
	rand.Shuffle(len(again), func(i, k int) { again[i], again[k] = again[k], again[i] })
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: kafka.Config{Brokers: []string{w.Kafka}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), again...); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.turn(t, 3)
	var list struct {
		Runs []struct{ ID, Dataset string }
	}
	if err := w.client.Get(t.Context(), "/v1/runs?model="+flights.Model, &list); err != nil {
		t.Fatal(err)
	}
	runs := map[string]int{}
	for _, r := range list.Runs {
		runs[r.Dataset]++
	}
	want := map[string]int{}
	for _, s := range w.turnsDone {
		want[s.Dataset] = 1
	}
	if !maps.Equal(runs, want) {
		t.Errorf("runs by dataset: %v, want one for each of %d datasets", runs, len(want))
	}
}

// announcements are the events dataset.ready in the log.
func (w *world) announcements(t *testing.T) []events.Event {
	t.Helper()
	f, err := kafka.NewFollower(kafka.Config{Brokers: []string{w.Kafka}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out []events.Event
	if err := f.Follow(ctx, events.TopicDatasets, func(ev events.Event) { out = append(out, ev) }, cancel); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) traces(t *testing.T) {
	a, err := w.client.PredictOne(t.Context(), flights.TagName, w.someRow())
	if err != nil {
		t.Fatal(err)
	}
	l, err := flights.Trace(t.Context(), w.client, a.PredictionID)
	if err != nil {
		t.Fatal(err)
	}
	if l.Prediction.ID != a.PredictionID || l.Prediction.Package != a.Package || l.Prediction.Topic != events.TopicPredictions {
		t.Errorf("%+v is not about %+v", l.Prediction, a)
	}
	b := w.bucket(t)
	if _, err := b.Stat(t.Context(), l.Prediction.File); err != nil {
		t.Errorf("the archive file of the prediction: %v", err)
	}
	if len(l.Package.Sources) == 0 {
		t.Error("the dataset has no sources")
	}
	var rows int64
	for _, s := range l.Package.Sources {
		if _, err := b.Stat(t.Context(), s.Key); err != nil || s.End <= s.Start {
			t.Errorf("source %+v: %v", s, err)
		}
		rows += s.Rows
	}
	if rows < l.Package.Dataset.Rows {
		t.Errorf("%d rows of sources for %d of the dataset", rows, l.Package.Dataset.Rows)
	}
}

func (w *world) archived(t *testing.T) {
	sent, _ := w.replay.Count()
	var list struct {
		Topics []struct {
			Topic      string
			Partitions []struct{ Next, Rows int64 }
		}
	}
	await(t, time.Minute, "the archive of all events", func() (bool, error) {
		var next, rows int64
		if err := w.client.Get(t.Context(), "/v1/archive?topic=events.flights", &list); err != nil {
			return false, err
		}
		for _, p := range list.Topics[0].Partitions {
			next, rows = next+p.Next, rows+p.Rows
		}
		if rows > int64(sent) {
			t.Fatalf("%d rows of %d events", rows, sent)
		}
		return rows == int64(sent), nil
	})
	if out := w.cli(t, "archive", "verify"); !strings.Contains(out, "faults") {
		t.Errorf("archive verify:\n%s", out)
	}
}

// measures looks for what an operator watches: figures that have moved.
func (w *world) measures(t *testing.T) {
	for url, names := range map[string][]string{
		w.Control: {"signalbox_archive_records_total", "signalbox_archive_partitions", "http_server_request_duration_seconds_count", "messaging_client_sent_messages_total"},
		w.Predict: {"signalbox_predict_rows_total", "signalbox_serve_generation"},
	} {
		status, page := w.get(t, url+"/metrics")
		if status != http.StatusOK {
			t.Errorf("%s/metrics: %d", url, status)
		}
		for _, name := range names {
			if !regexp.MustCompile(`(?m)^` + name + `(\{[^}]*\})? [1-9]`).Match(page) {
				t.Errorf("%s/metrics has no %s above 0", url, name)
			}
		}
	}
}
