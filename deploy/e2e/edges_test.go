package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/deploy/examples/flights"
	"github.com/signalbox-ml/signalbox/registry/bucket"
)

// post sends bytes as they are.
func (w *world) post(t *testing.T, url, contentType string, body []byte) (int, []byte) {
	t.Helper()
	return w.ask(t, http.MethodPost, url, contentType, body)
}

func (w *world) get(t *testing.T, url string) (int, []byte) {
	t.Helper()
	return w.ask(t, http.MethodGet, url, "", nil)
}

func (w *world) ask(t *testing.T, method, url, contentType string, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Token)
	req.Header.Set("Content-Type", contentType)
	resp, err := w.client.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b
}

const structured = "application/cloudevents+json"

func (w *world) refusesEvents(t *testing.T) {
	event := func(typ, data string) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"x","source":"/test","type":%q,"subject":"s","data":%s}`, typ, data)
	}
	const weather = `{"origin":"EWR","observed_at":"2013-01-01T06:00:00Z","temperature":%s}`
	for _, c := range []struct {
		name, contentType, body string
		status                  int
		says                    string
	}{
		{"no JSON", structured, `{"specversion":`, 400, ""},
		{"no id", structured, `{"specversion":"1.0","source":"/t","type":"flight.departed","data":{}}`, 400, "id"},
		{"another version", structured, `{"specversion":"0.3","id":"x","source":"/t","type":"flight.departed"}`, 400, "specversion"},
		{"no event", "text/html", `<p>`, 415, ""},
		{"unknown type", structured, event("flight.hijacked", `{}`), 422, "flight.hijacked"},
		{"missing member", structured, event("weather.observed", `{}`), 422, "origin"},
		{"wrong type", structured, event("weather.observed", fmt.Sprintf(weather, `"warm"`)), 422, "/temperature"},
		{"a type of the service's own", structured, event("dev.signalbox.tag.moved", `{}`), 403, ""},
		{"too large", structured, event("weather.observed", fmt.Sprintf(weather, `"`+strings.Repeat("x", 1<<20)+`"`)), 413, ""},
	} {
		if status, body := w.post(t, w.Control+"/v1/events", c.contentType, []byte(c.body)); status != c.status || !bytes.Contains(body, []byte(c.says)) {
			t.Errorf("%s: %d %s, want %d naming %q", c.name, status, body, c.status, c.says)
		}
	}
}

// someRow is what a client would ask about the first flight.
func (w *world) someRow() flights.Features {
	for _, h := range w.hs {
		if h.Event.Type() == flights.TypeDeparted {
			return w.rows[h.Flight.ID]
		}
	}
	return flights.Features{}
}

func (w *world) refusesRows(t *testing.T) {
	good, err := json.Marshal(w.someRow())
	if err != nil {
		t.Fatal(err)
	}
	without := bytes.Replace(good, []byte(`"departure_delay"`), []byte(`"departure_delight"`), 1)
	mistyped := bytes.Replace(good, []byte(`"distance":`), []byte(`"distance":"far","was":`), 1)
	rows := func(row []byte) []byte { return fmt.Appendf(nil, `{"rows":[%s]}`, row) }
	url := w.Predict + "/v1/predict/"
	for _, c := range []struct {
		name, url string
		body      []byte
		status    int
		says      string
	}{
		{"a good row", url + flights.TagName, rows(good), 200, "sha256."},
		{"no JSON", url + flights.TagName, []byte(`{"rows":[`), 400, ""},
		{"no rows", url + flights.TagName, []byte(`{"row":[]}`), 400, "row"},
		{"a missing feature", url + flights.TagName, rows(without), 422, "departure_delay"},
		{"a mistyped feature", url + flights.TagName, rows(mistyped), 422, "distance"},
		{"an unknown tag", url + "flight-delay/nowhere", rows(good), 404, ""},
		{"an unknown model", url + "nothing/production", rows(good), 404, ""},
	} {
		if status, body := w.post(t, c.url, "application/json", c.body); status != c.status || !bytes.Contains(body, []byte(c.says)) {
			t.Errorf("%s: %d %s, want %d naming %q", c.name, status, body, c.status, c.says)
		}
	}
}

// broken are workflows that fail, each in its own way.
const broken = `
apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: raises}
spec:
  entrypoint: broken:Broken
  files:
    broken.py:
      content: |
        from signalbox import Workflow
        class Broken(Workflow):
            def train(self, training_dataframe, holdout_dataframe):
                raise ValueError("there is no such thing as a late flight")
---
apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: dies}
spec:
  entrypoint: broken:Broken
  files:
    broken.py:
      content: |
        import os, signal
        from signalbox import Workflow
        class Broken(Workflow):
            def train(self, training_dataframe, holdout_dataframe):
                os.kill(os.getpid(), signal.SIGKILL)
`

func (w *world) reportsFailures(t *testing.T) {
	w.apply(t, broken)
	raised := w.train(t, w.request("raises", 10))
	died := w.train(t, w.request("dies", 10))
	state, _, exception := w.finish(t, raised)
	if state != "failed" || exception["type"] != "ValueError" || exception["step"] != "train" ||
		!strings.Contains(fmt.Sprint(exception["message"]), "no such thing") {
		t.Errorf("the workflow that raises: %s %v", state, exception)
	}
	w.log(t, raised, "no such thing") // the traceback
	if state, _, exception = w.finish(t, died); state != "failed" || !strings.Contains(fmt.Sprint(exception), "signal 9") {
		t.Errorf("the workflow that is killed: %s %v", state, exception)
	}
}

// request is a training request on the newest dataset.
func (w *world) request(workflow string, rounds int) []byte {
	return fmt.Appendf(nil, `{"model_name":"flight-delay","owner":"e2e",
	  "data":{"features":[{"dataset":"flight-delay@latest"}],"date_column":"event_time",
	    "holdout_sampling":{"sampling_function":"DATE_RANGE","date_range_sampling":{"date_column":"event_time","last":"2d"}}},
	  "train":{"workflow_name":%q,"classifier_features":["carrier","origin","distance","departure_delay"],"label":"late",
	    "custom_params":{"rounds":%d}}}`, workflow, rounds)
}

// refusesCorruption flips one byte of a model in the store and promotes it: it must never answer.
func (w *world) refusesCorruption(t *testing.T) {
	// A model that ranks by nothing but chance of origin loses every comparison, so no server has loaded it yet.
	state, pkg, _ := w.finish(t, w.train(t, bytes.Replace(w.request("flight-delay", 1), []byte(`"distance","departure_delay"`), []byte(`"distance"`), 1)))
	if state != "complete" {
		t.Fatalf("the run is %s", state)
	}
	await(t, time.Minute, "the evaluation", func() (bool, error) {
		var said struct{ Attestations []struct{ Type string } }
		err := w.client.Get(t.Context(), "/v1/packages/"+pkg+"/attestations", &said)
		for _, a := range said.Attestations {
			if a.Type == "evaluation" {
				return true, nil
			}
		}
		return false, err
	})
	var files struct {
		Files []struct {
			Path string
			Get  bucket.Signed
		}
	}
	if err := w.client.Get(t.Context(), "/v1/packages/"+pkg+"/files", &files); err != nil {
		t.Fatal(err)
	}
	for _, f := range files.Files {
		if strings.HasPrefix(f.Path, "model.") {
			w.flip(t, f.Get.URL)
		}
	}
	before := w.history(t)
	serving := before[len(before)-1]
	w.cli(t, "tag", "set", flights.TagName, pkg, "--reason", "the test promotes a corrupt package")
	await(t, 30*time.Second, "the refusal", func() (bool, error) {
		var list struct {
			Models []struct{ Tag, Reason string }
		}
		err := w.client.Call(t.Context(), http.MethodGet, w.Predict+"/v1/models", "application/json", nil, &list)
		return len(list.Models) == 1 && list.Models[0].Reason == "corrupt", err
	})
	a, err := w.client.PredictOne(t.Context(), flights.TagName, w.someRow())
	if err != nil || a.Generation != serving.Generation || a.Package != serving.Arms[0].Package {
		t.Errorf("%+v, %v: want generation %d", a, err, serving.Generation)
	}
	w.cli(t, "tag", "rollback", flights.TagName, "--reason", "the package is corrupt")
	await(t, 30*time.Second, "the rollback", func() (bool, error) {
		a, err := w.client.PredictOne(t.Context(), flights.TagName, w.someRow())
		if err == nil {
			err = fmt.Errorf("%+v answers, history: %+v", a, w.history(t))
		}
		return a.Generation == serving.Generation+2 && a.Package == serving.Arms[0].Package, err
	})
}

// flip changes the first byte of an object, whose signed address tells its key.
func (w *world) flip(t *testing.T, address string) {
	t.Helper()
	_, key, ok := strings.Cut(strings.Split(address, "?")[0], "/"+w.S3.Bucket+"/")
	if !ok {
		t.Fatalf("no key in %s", address)
	}
	b := w.bucket(t)
	body, _, err := b.Get(t.Context(), key, bucket.Range{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	content, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1
	sum := sha256.Sum256(content)
	if _, err := b.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), bucket.PutOptions{SHA256: sum}); err != nil {
		t.Fatal(err)
	}
}
