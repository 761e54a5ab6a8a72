package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/consumers/archive"
	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/events/kafka"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/bucket"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

// The way of one model through the API, from its declaration to the lineage of a prediction, with the refusals on it.

const declared = `{"documents":[
 {"apiVersion":"signalbox.dev/v1","kind":"Stream","metadata":{"name":"flights"},"spec":{"partitions":1,"types":{"flight.departed":{
   "description":"A flight left its gate.","schema":{"type":"object","required":["delay"],"properties":{"delay":{"type":"number"}}}}}}},
 {"apiVersion":"signalbox.dev/v1","kind":"Workflow","metadata":{"name":"delay"},"spec":{"entrypoint":"delay:Delay","files":{
   "delay.py":{"content":"class Delay: pass\n"}}}},
 {"apiVersion":"signalbox.dev/v1","kind":"Model","metadata":{"name":"flight-delay"},"spec":{"owner":"tests","project":"tests",
   "train":{"workflow_name":"delay","classifier_features":["delay"],"label":"late"},"evaluation":{"tag":"production","metric":"auc"},
   "prediction":{"logInputs":true}}}]}`

func (o *observer) service() {
	for _, plane := range []string{controlPlane, dataPlane} {
		o.ask(200, request{plane: plane, method: "GET", path: "/livez"})
		o.ask(200, request{plane: plane, method: "GET", path: "/readyz"})
		o.ask(200, request{plane: plane, method: "GET", path: "/metrics"})
		o.ask(200, request{plane: plane, method: "GET", path: "/metrics", header: map[string]string{"Accept": "application/openmetrics-text; version=1.0.0"}})
		o.ask(401, request{plane: plane, token: "none", method: "GET", path: "/metrics"})
		o.ask(403, request{plane: plane, token: o.tokens[auth.Producer], method: "GET", path: "/metrics"})
	}
	o.down = errors.New("away")
	o.ask(503, request{method: "GET", path: "/readyz"})
	o.down = nil
}

func (o *observer) specs() {
	o.ask(200, request{method: "POST", path: "/v1/specs?dry-run=true", body: declared})
	o.ask(200, request{method: "POST", path: "/v1/specs", body: declared})
	o.ask(422, request{method: "POST", path: "/v1/specs", body: strings.ReplaceAll(declared, `"partitions":1`, `"partitions":-1`)})
	o.ask(422, request{method: "POST", path: "/v1/specs", body: `{"documents":[]}`})
	o.ask(400, request{method: "POST", path: "/v1/specs", body: `{"document":[]}`})
	o.ask(200, request{method: "GET", path: "/v1/specs?kind=Model&limit=5"})
	o.ask(400, request{method: "GET", path: "/v1/specs?kind=Modle"})
	o.ask(200, request{method: "GET", path: "/v1/specs/Stream/flights"})
	o.ask(404, request{method: "GET", path: "/v1/specs/Stream/none"})
}

func (o *observer) events() {
	structured, batch := map[string]string{"Content-Type": "application/cloudevents+json"}, map[string]string{"Content-Type": "application/cloudevents-batch+json"}
	event := `{"specversion":"1.0","id":"1","source":"/airports/ewr","type":"flight.departed","subject":"N14228","data":{"delay":2}}`
	wrong := strings.Replace(event, "delay", "dealy", 1)
	post := func(status int, path, body string, header map[string]string) {
		o.t.Helper()
		o.ask(status, request{method: "POST", path: path, body: body, header: header, token: o.tokens[auth.Producer]})
	}
	post(202, "/v1/events", event, structured)
	post(202, "/v1/events", `{"delay":2}`, map[string]string{
		"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "2", "ce-source": "/airports/ewr", "ce-type": "flight.departed"})
	post(200, "/v1/events", "["+event+"]", batch)
	post(207, "/v1/events", "["+event+","+wrong+",7]", batch)
	post(422, "/v1/events?atomic=true", "["+event+","+wrong+"]", batch)
	post(422, "/v1/events", wrong, structured)
	post(403, "/v1/events", strings.Replace(event, "flight.departed", events.TypeTagMoved, 1), structured)
	post(400, "/v1/events", "{", structured)
	post(413, "/v1/events", strings.Repeat(" ", 1<<20+1), structured)
	post(415, "/v1/events", event, map[string]string{"Content-Type": "text/plain"})
	post(415, "/v1/events", event, map[string]string{"Content-Type": "application/cloudevents+json", "Content-Encoding": "br"})
}

// journey is what a run left.
type journey struct {
	id  registry.RunID
	pkg cas.Digest
}

func (o *observer) trained() journey {
	dataset := o.dataset()
	body := `{"model_name":"flight-delay","owner":"tests","data":{"features":[{"dataset":"flights@latest"}],"date_column":"event_time",
		"holdout_sampling":{"sampling_function":"DATE_RANGE","date_range_sampling":{"last":"7d"}}},
		"train":{"workflow_name":"delay","classifier_features":["delay"],"label":"late"}}`
	o.ask(422, request{method: "POST", path: "/train", body: strings.Replace(body, `"late"`, `"lat"`, 1)})
	o.ask(400, request{method: "POST", path: "/train", body: "{"})
	j := journey{id: o.start(body, "first")}
	path, token := "/v1/runs/"+j.id.String(), got(o.app.auth.MintRun(j.id.String(), 1, time.Hour))(o.t)
	o.ask(200, request{method: "GET", path: path})
	o.ask(200, request{method: "GET", path: "/job/" + j.id.String() + "/result"})
	got(o.reg.QueueRun(o.t.Context(), j.id, "CPU"))(o.t)

	executor := map[string]string{}
	report := func(status int, call, body string) answer {
		o.t.Helper()
		return o.ask(status, request{method: "POST", path: path + call, body: body, token: token, header: executor})
	}
	report(422, ":start", `{"attempt":1,"executor":""}`)
	report(200, ":start", `{"attempt":1,"executor":"pod"}`)
	report(409, ":start", `{"attempt":1,"executor":"another"}`)
	report(409, ":progress", `{"attempt":1,"step":"fetch"}`)
	report(200, ":join", `{"attempt":1,"rank":0,"executor":"pod","address":"10.0.0.7:41235"}`)
	report(409, ":join", `{"attempt":1,"rank":0,"executor":"another","address":"10.0.0.8:41235"}`)
	report(422, ":join", `{"attempt":1,"rank":1,"executor":"pod","address":"10.0.0.7:41235"}`)
	executor["Signalbox-Executor"] = "pod"
	report(204, ":progress", `{"attempt":1,"step":"fetch","seconds":0.25,"metrics":{"rows":2}}`)
	report(422, ":progress", `{"attempt":1,"step":"rest"}`)
	report(403, ":progress", `{"attempt":2,"step":"fetch"}`)
	sum := cas.Sum([]byte("row\tscore\n")).String()
	report(200, "/artifacts", `{"attempt":1,"artifacts":[{"name":"scores.tsv","digest":"`+sum+`","size":10}]}`)
	report(422, "/artifacts", `{"attempt":1,"artifacts":[{"name":"Scores","digest":"`+sum+`","size":10}]}`)
	o.leave(j.id, "metrics.json", `{"metrics":{"gain_delay":1.5},"process":{"cpu_seconds":2.5,"peak_memory_bytes":236130304}}`)
	o.leave(j.id, registry.ArtifactLogs, "step fetch\nstep train\n")
	o.stream(path, token)
	j.pkg = o.published(j.id, token)
	report(422, "/artifacts", `{"attempt":1,"artifacts":[{"name":"logs","digest":"`+sum+`","size":10}]}`)
	report(422, ":fail", `{"attempt":1,"exception":{"message":"no rows"}}`)
	report(422, ":complete", `{"attempt":1,"package":"`+sum+`"}`)
	report(200, ":complete", fmt.Sprintf(`{"attempt":1,"package":%q,"artifacts":{"metrics.json":"runs/%s/1/metrics.json"}}`, j.pkg, j.id))
	report(409, ":fail", `{"attempt":1,"exception":{"type":"ValueError"}}`)
	o.ask(409, request{method: "POST", path: path + ":cancel"})
	o.ask(409, request{method: "POST", path: path + ":retry"})

	failed := o.start(body, "second")
	got(o.reg.QueueRun(o.t.Context(), failed, "CPU"))(o.t)
	token = got(o.app.auth.MintRun(failed.String(), 1, time.Hour))(o.t)
	o.ask(200, request{method: "POST", path: "/v1/runs/" + failed.String() + ":fail", token: token,
		body: `{"attempt":1,"exception":{"type":"ValueError","message":"no rows","step":"fetch","retryable":false},"artifacts":{}}`})
	o.ask(200, request{method: "GET", path: "/job/" + failed.String() + "/result"})
	o.ask(200, request{method: "GET", path: "/job/" + failed.String() + "/status"})
	again := request{method: "POST", path: "/v1/runs/" + failed.String() + ":retry", header: map[string]string{"Idempotency-Key": "k"}}
	o.ask(201, again)
	o.ask(200, again)
	o.ask(200, request{method: "POST", path: "/v1/runs/" + o.start(body, "third").String() + ":cancel"})
	o.ask(200, request{method: "GET", path: "/v1/datasets?name=flights"})
	o.ask(200, request{method: "GET", path: "/v1/datasets/" + dataset.String()})
	o.ask(404, request{method: "GET", path: "/v1/datasets/" + sum})
	return j
}

// stream sends what a job says on its way.
func (o *observer) stream(path, token string) {
	o.t.Helper()
	put := func(status int, kind, chunk, body string) {
		o.t.Helper()
		media := map[string]string{"log": "application/octet-stream", "series": "application/jsonl"}[kind]
		o.ask(status, request{method: "PUT", path: path + "/attempts/1/" + kind + "/" + chunk, body: body, token: token,
			header: map[string]string{"Signalbox-Executor": "pod", "Content-Type": media}})
	}
	put(200, "log", "0", "step fetch\nstep train\n")
	put(400, "log", "1", "")
	put(400, "log", "1000001", "x")
	put(413, "log", "1", strings.Repeat("x", 1<<20+1))
	put(200, "series", "0", `{"name":"auc","value":0.81,"step":3,"at":"2026-11-23T14:00:00.123Z"}`+"\n")
	put(200, "series", "0", `{"name":"auc","value":0.81,"at":"2026-11-23T14:00:00.123Z"}`+"\n")
	put(422, "series", "1", `{"name":"a c","value":0.81,"at":"2026-11-23T14:00:00.123Z"}`+"\n")
}

// start starts a run.
func (o *observer) start(body, key string) (id registry.RunID) {
	o.t.Helper()
	o.ask(200, request{method: "POST", path: "/train", body: body, header: map[string]string{"Idempotency-Key": key}}).into(o.t, &id)
	return id
}

// dataset does what the generator does at its end.
func (o *observer) dataset() cas.Digest {
	o.t.Helper()
	start, sum := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), cas.Sum([]byte("part"))
	d, _, err := o.reg.PublishDataset(o.t.Context(), manifest.Dataset{
		Name: "flights", Plan: sum, Spec: sum, Compiler: "test/1", Start: start, End: start.Add(time.Hour), Watermark: start.Add(time.Hour),
		Rows: 2, Label: "late", Columns: []manifest.Column{
			{Name: "event_time", Type: manifest.Timestamp}, {Name: "delay", Type: manifest.Number}, {Name: "late", Type: manifest.Boolean},
		},
		Parts:   []manifest.Part{{Key: "datasets/flights/p/part-0.parquet", Digest: sum, Bytes: 10, Rows: 2}},
		Sources: []manifest.Source{{Key: "archive/a.parquet", Digest: sum, Topic: "events.flights", TopicID: "00ff", Start: 5, End: 9, Rows: 4}},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return d.ID
}

// leave puts an artifact of the first attempt into the bucket.
func (o *observer) leave(id registry.RunID, name, text string) {
	o.t.Helper()
	got(o.bucket.Put(o.t.Context(), registry.ArtifactKey(id, 1, name), strings.NewReader(text), int64(len(text)), bucket.PutOptions{}))(o.t)
}

// tree is a model of one split, and what it answers at 20 minutes: 1 / (1 + 1/e).
const (
	tree = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=binary sigmoid:1\n" +
		"feature_names=delay\nfeature_infos=[-10:100]\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=15\n" +
		"decision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=-1 1\nleaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\n" +
		"internal_weight=2\ninternal_count=2\nis_linear=0\nshrinkage=1\n\n\nend of trees\n"
	golden = `{"input":{"delay":20},"output":{"late":0.7310585786300049}}` + "\n"
)

// published does what the runner does: asks what is missing, uploads it, and puts the manifest.
func (o *observer) published(run registry.RunID, token string) cas.Digest {
	o.t.Helper()
	blobs := map[cas.Digest]string{}
	add := func(media, content string) cas.Descriptor {
		d := cas.Descriptor{MediaType: media, Digest: cas.Sum([]byte(content)), Size: int64(len(content))}
		blobs[d.Digest] = content
		return d
	}
	signature := string(asJSON(o.t, manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl", Tolerance: 1e-9,
		Inputs: []manifest.Column{{Name: "delay", Type: manifest.Number}}, Outputs: []manifest.Column{{Name: "late", Type: manifest.Number}},
	}))
	var m manifest.Package
	for path, content := range map[string]string{"model.txt": tree, "golden.jsonl": golden, manifest.SignatureFile: signature} {
		m.Layers = append(m.Layers, manifest.Layer{Path: path, Descriptor: add(manifest.MediaWeight, content)})
	}
	m.Config = add(manifest.MediaConfig, string(got(manifest.EncodeConfig(manifest.FormatLightGBM, m.Layers))(o.t)))
	b := got(m.Encode())(o.t)
	id := cas.Sum(b)
	put := request{method: "PUT", path: "/v1/packages/" + id.String(), body: string(b), token: token, header: map[string]string{
		"Content-Type": manifest.MediaManifest, "Signalbox-Model": "flight-delay", "Signalbox-Run": run.String()}}
	o.ask(409, put) // nobody's
	put.header["Signalbox-Executor"] = "pod"
	o.ask(409, put) // without its blobs
	missing := request{method: "POST", path: "/v1/blobs:missing", token: token, body: string(asJSON(o.t, map[string]any{"blobs": m.Blobs()}))}
	var list struct{ Blobs []registry.BlobUpload }
	o.ask(200, missing).into(o.t, &list)
	for _, up := range list.Blobs {
		q := got(up.Put.Request(o.t.Context(), strings.NewReader(blobs[up.Digest])))(o.t)
		resp := got(http.DefaultClient.Do(q))(o.t)
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			o.t.Fatalf("upload: %s", resp.Status)
		}
	}
	o.ask(200, missing)
	o.ask(201, put)
	o.ask(200, put)
	put.header = map[string]string{"Content-Type": manifest.MediaManifest}
	put.token = ""
	o.ask(400, put)
	return id
}

func (o *observer) readRuns(j journey) {
	path := "/v1/runs/" + j.id.String()
	for _, p := range []string{"/v1/runs?model=flight-delay&state=complete,failed&limit=2", path, path + "/metrics", path + "/logs?attempt=1",
		"/job/" + j.id.String() + "/status", "/job/" + j.id.String() + "/result"} {
		o.ask(200, request{method: "GET", path: p})
	}
	o.ask(200, request{method: "GET", path: path + "/logs", header: map[string]string{"Accept": "text/event-stream", "Last-Event-ID": "0"}})
	var page struct{ Next string }
	o.ask(200, request{method: "GET", path: "/v1/runs?limit=1"}).into(o.t, &page)
	o.ask(200, request{method: "GET", path: "/v1/runs?owner=tests&project=none&trainer=nobody&workflow=delay&since=2026-01-01T00:00:00Z&until=2126-01-01T00:00:00Z&cursor=" + page.Next})
	o.ask(200, request{method: "GET", path: "/v1/runs?package=" + j.pkg.String() + "&dataset=" + j.pkg.String()})
	events := map[string]string{"Accept": "text/event-stream", "Last-Event-ID": "0.0"}
	if a := o.ask(200, request{method: "GET", path: path + "/metrics", header: events}); !strings.HasPrefix(a.body, "id: 1.0\ndata: {\"name\":\"auc\",\"step\":3") {
		o.t.Errorf("followed figures %q", a.body)
	}
	o.ask(400, request{method: "GET", path: "/v1/runs?state=done"})
	o.ask(200, request{method: "GET", path: path + "/metrics?attempt=1"})
	o.ask(400, request{method: "GET", path: path + "/metrics?attempt=9"})
	o.ask(400, request{method: "GET", path: "/v1/runs/7"})
	o.ask(404, request{method: "GET", path: "/v1/runs/9081e64f-b2c0-455e-bcaa-c1c211fa124b"})
}

func (o *observer) readPackages(j journey) {
	path := "/v1/packages/" + j.pkg.String()
	for _, p := range []string{"/v1/packages?model=flight-delay", "/v1/packages?run=" + j.id.String() + "&limit=1", path, path + "/files",
		path + "/attestations", path + "/lineage"} {
		o.ask(200, request{method: "GET", path: p})
	}
	o.ask(400, request{method: "GET", path: "/v1/packages/latest"})
	o.ask(404, request{method: "GET", path: "/v1/packages/" + cas.Sum(nil).String()})
}

func (o *observer) moveTags(pkg cas.Digest) {
	path := "/v1/tags/flight-delay/production"
	body := fmt.Sprintf(`{"arms":[{"package":%q,"weight":10000}],"reason":"first","evidence":""}`, pkg)
	move := func(status int, body string, header ...string) {
		o.t.Helper()
		r := request{method: "PUT", path: path, body: body, header: map[string]string{}, token: o.tokens[auth.Promoter]}
		for i := 0; i < len(header); i += 2 {
			r.header[header[i]] = header[i+1]
		}
		o.ask(status, r)
	}
	o.ask(404, request{method: "GET", path: path})
	move(428, body)
	move(412, body, "If-Match", `"7"`)
	move(201, body, "If-None-Match", "*", "Idempotency-Key", "k")
	move(201, body, "If-None-Match", "*", "Idempotency-Key", "k")
	move(422, body, "If-Match", `"1"`, "Idempotency-Key", "k")
	move(200, body, "If-Match", `"1"`)
	move(412, body, "If-Match", `"1"`)
	move(400, body, "If-Match", `1`)
	move(422, strings.Replace(body, "10000", "9000", 1), "If-Match", `"2"`)
	roll := request{method: "POST", path: path + ":rollback", body: `{"generation":1,"reason":"wrong on holidays"}`, header: map[string]string{"If-Match": `"2"`}}
	o.ask(200, roll)
	o.ask(412, roll)
	roll.header = nil
	o.ask(428, roll)
	o.ask(404, request{method: "POST", path: "/v1/tags/flight-delay/none:rollback", body: `{}`, header: map[string]string{"If-Match": `"2"`}})
	o.ask(200, request{method: "GET", path: path})
	o.ask(200, request{method: "GET", path: path + "?as_of=" + time.Now().UTC().Format(time.RFC3339Nano)})
	o.ask(304, request{method: "GET", path: path, header: map[string]string{"If-None-Match": `"3"`}})
	o.ask(200, request{method: "GET", path: path + "/history"})
	o.ask(200, request{method: "GET", path: "/v1/tags?limit=1"})
}

func (o *observer) predict(pkg cas.Digest) {
	call := func(status int, method, path, body string, header map[string]string) answer {
		o.t.Helper()
		return o.ask(status, request{plane: dataPlane, method: method, path: path, body: body, header: header, token: o.tokens[auth.Predictor]})
	}
	eventually(o.t, "generation 3", func() bool {
		a := o.send(request{plane: dataPlane, method: "GET", path: "/v1/models"})
		return strings.Contains(a.body, `"generation":3`)
	})
	path, rows := "/v1/predict/flight-delay/production", `{"rows":[{"delay":20}]}`
	var p struct {
		Predictions []struct{ Late float64 }
		Package     cas.Digest
		Generation  int64
	}
	call(200, "POST", path+"?min-generation=3&strict=true", rows, map[string]string{"Signalbox-Key": "me"}).into(o.t, &p)
	if len(p.Predictions) != 1 || p.Predictions[0].Late != 0.7310585786300049 || p.Package != pkg || p.Generation != 3 {
		o.t.Errorf("predicted %+v", p)
	}
	call(200, "POST", "/v1/predict/flight-delay/packages/"+pkg.String(), rows, nil)
	call(404, "POST", "/v1/predict/flight-delay/packages/"+cas.Sum(nil).String(), rows, nil)
	call(404, "POST", "/v1/predict/flight-delay/none", rows, nil)
	call(422, "POST", path, `{"rows":[{}]}`, nil)
	call(422, "POST", path+"?strict=true", `{"rows":[{"delay":1,"dealy":2}]}`, nil)
	call(400, "POST", path, `{"rows":`, nil)
	call(400, "POST", path+"?min-generation=x", rows, nil)
	call(413, "POST", path, strings.Repeat(" ", 1<<20+1), nil)
	call(503, "POST", path+"?min-generation=9", rows, nil)
	for _, p := range []string{"/v1/models", "/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/flight-delay", "/v2/models/flight-delay/ready",
		"/v2/models/flight-delay/versions/production", "/v2/models/flight-delay/versions/production/ready"} {
		call(200, "GET", p, "", nil)
	}
	call(404, "GET", "/v2/models/none", "", nil)
	call(404, "GET", "/v2/models/none/ready", "", nil)
}

// lineage archives the event of a prediction and asks where that comes from.
func (o *observer) lineage(pkg cas.Digest) {
	id, now := got(uuid.NewV7())(o.t), time.Now().UTC().Truncate(time.Millisecond)
	ev := got(events.New(events.TypePredictionMade, "/predict", id.String(), id.String(), now, events.PredictionMade{
		PredictionID: id.String(), Model: "flight-delay", Tag: "flight-delay/production", Generation: 3, Package: pkg.String(),
		Output: json.RawMessage(`{"late":0.5}`),
	}))(o.t)
	record := got(kafka.Encode(ev))(o.t)
	record.AppendTime = now
	o.archived(record)
	o.ask(200, request{method: "GET", path: "/v1/archive?topic=" + events.TopicPredictions})
	o.ask(200, request{method: "GET", path: "/v1/predictions/" + id.String() + "/lineage"})
	o.ask(200, request{method: "GET", path: "/v1/predictions/" + id.String() + "/lineage?near=" + now.Format(time.RFC3339)})
	o.ask(404, request{method: "GET", path: "/v1/predictions/" + uuid.NewString() + "/lineage"})
	o.ask(400, request{method: "GET", path: "/v1/predictions/latest/lineage"})
}

// archived runs the archiver over the first record of a partition.
func (o *observer) archived(r events.Record) {
	o.t.Helper()
	w := got(archive.New(archive.Config{Ledger: o.ledger, Bucket: o.bucket, Owner: "test", Source: "/test"}))(o.t)
	tp := events.TopicPartition{TopicID: uuid.NewSHA1(uuid.Nil, []byte("predictions")), Topic: events.TopicPredictions}
	o.work(w.Run)
	got(w.Assigned(o.t.Context(), tp))(o.t)
	if err := w.Records(o.t.Context(), tp, []events.Record{r}, 1, 1); err != nil {
		o.t.Fatal(err)
	}
	w.Revoked(o.t.Context(), tp)
}
