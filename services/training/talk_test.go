package training

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// The request and the result of the Railyard talk, in the bytes that its slides have; only the store has our name.

const (
	talkPath = "s3://path/to/parquet/fraud_data.parq"
	ourPath  = "s3://signalbox/data/path/to/parquet/fraud_data.parq"
)

func golden(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// talk is a world in which the talk's request can be met.
func talk(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	docs, err := spec.Parse([]byte(`apiVersion: signalbox.dev/v1
kind: Workflow
metadata: {name: stripe-fraud}
spec:
  entrypoint: fraud:StripeFraudModel
  files: {fraud.py: {content: "class StripeFraudModel: pass\n"}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.reg.Apply(t.Context(), docs, false); err != nil {
		t.Fatal(err)
	}
	w.put("data/path/to/parquet/fraud_data.parq", "PAR1")
	return w
}

func TestTheTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := talk(t)
		body := strings.Replace(golden(t, "talk_request.json"), talkPath, ourPath, 1)
		rec := w.do(w.tokens[auth.Trainer], "POST", "/train", body, "Idempotency-Key", "the talk")
		id := want[registry.RunID](w, rec, http.StatusOK)
		if got := rec.Body.String(); got != `"`+id.String()+`"`+"\n" || rec.Header().Get("Content-Type") != "application/json" {
			t.Errorf("answer %q, %v", got, rec.Header())
		}
		if run := w.run(id); run.Model != "fraud_prediction_model" || !run.Dataset.IsZero() {
			t.Errorf("run %+v", run)
		}
		w.wantRequest(id, body)
		if _, err := w.reg.QueueRun(t.Context(), id, "GPU"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(time.Date(2019, 3, 22, 18, 0, 4, 567890000, time.UTC)))
		artifacts := map[string]string{}
		for _, name := range []string{registry.ArtifactScores, registry.ArtifactLabels} {
			artifacts[name] = registry.ArtifactKey(id, 1, name)
		}
		left, err := json.Marshal(map[string]any{"attempt": 1, "package": w.publish("fraud").String(), "artifacts": artifacts})
		if err != nil {
			t.Fatal(err)
		}
		w.report(w.jobToken(id, 1), id, "complete", string(left), http.StatusOK)
		rec = w.do(w.tokens[auth.Viewer], "GET", "/job/"+id.String()+"/result", "")
		if got, want := rec.Body.String(), golden(t, "talk_result.json"); rec.Code != http.StatusOK || got != want {
			t.Errorf("result\n%swant\n%s", got, want)
		}
		rec = w.do(w.tokens[auth.Viewer], "GET", "/job/"+id.String()+"/status", "")
		if got, want := rec.Body.String(), golden(t, "talk_status.json"); rec.Code != http.StatusOK || got != want {
			t.Errorf("status\n%swant\n%s", got, want)
		}
	})
}

// wantRequest wants the request of a run in the bytes that came, in every answer that has one run.
func (w *world) wantRequest(id registry.RunID, body string) {
	w.t.Helper()
	var run struct{ Request json.RawMessage }
	rec := w.do(w.tokens[auth.Viewer], "GET", "/v1/runs/"+id.String(), "")
	if err := json.Unmarshal(rec.Body.Bytes(), &run); err != nil || string(run.Request) != strings.TrimSpace(body) {
		w.t.Errorf("request is\n%s\nwant\n%s\n%v", run.Request, body, err)
	}
}

func TestTheTalksOwnPath(t *testing.T) {
	w := talk(t)
	if got := w.refusedAt(golden(t, "talk_request.json")); !slices.Equal(got, []string{"/data/features/0/path"}) {
		t.Errorf("faults at %q", got)
	}
}

// TestUnknownMembersKeepTheirBytes: white space, digits, escapes and the order of members.
func TestUnknownMembersKeepTheirBytes(t *testing.T) {
	w := talk(t)
	body := strings.Replace(golden(t, "talk_request.json"), talkPath, ourPath, 1)
	odd := "{\n\t\"zeta\" : [1.50, 1E+2,-0.0 , 9007199254740992],\"html\":\"<a href='x'>&amp;\\u003c\\/\", \"é\": \"\\u00e9\u2028\", \"a\": {} },\n \"model_name\""
	body = strings.Replace(body, `"model_name"`, `"my_own": `+odd, 1)
	id := want[registry.RunID](w, w.do(w.tokens[auth.Trainer], "POST", "/train", body), http.StatusOK)
	w.wantRequest(id, body)
	latest := strings.Replace(fullRequest, `"my_own"`, `"my_own": `+strings.TrimSuffix(odd, ` "model_name"`)+` "other"`, 1)
	id = want[registry.RunID](w, w.do(w.tokens[auth.Trainer], "POST", "/train", latest), http.StatusOK)
	w.wantRequest(id, strings.Replace(latest, "flights@latest", w.dataset.ID.String(), 1))
}
