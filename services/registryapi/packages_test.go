package registryapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/spec"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
	"github.com/signalbox-ml/signalbox/services/internal/httpapi"
)

type blobList struct {
	Blobs []registry.BlobUpload `json:"blobs"`
}

// A job asks what is missing, uploads it and publishes, as the Python runner does.
func TestPublishAsAJob(t *testing.T) {
	w := newWorld(t)
	run := w.run()
	token := w.jobToken(run.ID)
	m, blobs := w.files("tree")
	b := must(m.Encode())(t)
	id := cas.Sum(b)
	asked := struct {
		Blobs []cas.Descriptor `json:"blobs"`
	}{m.Blobs()}
	body := string(must(json.Marshal(asked))(t))
	path, headers := "/v1/packages/"+id.String(), []string{headerModel, "flight-delay", headerRun, run.ID.String()}

	p := get[problem](t, w.do(token, "PUT", path, string(b), headers...), http.StatusConflict)
	if p.Code != "blobs_missing" || len(p.Missing) != len(blobs) || !slices.Contains(p.Missing, m.Config.Digest) {
		t.Errorf("before the upload: %+v", p)
	}
	for _, up := range get[blobList](t, w.do(token, "POST", "/v1/blobs:missing", body), http.StatusOK).Blobs {
		if up.Present || up.Put == nil || up.Put.Method != "PUT" || blobs[up.Digest] == "" {
			t.Errorf("blob %+v", up)
		}
	}
	w.upload(blobs)
	got := get[blobList](t, w.do(token, "POST", "/v1/blobs:missing", body, httpapi.HeaderIdempotencyKey, "k"), http.StatusOK)
	for _, up := range got.Blobs {
		if !up.Present || up.Put != nil {
			t.Errorf("uploaded blob %+v", up)
		}
	}
	for _, status := range []int{http.StatusCreated, http.StatusOK, http.StatusOK} {
		a := w.do(token, "PUT", path, string(b), headers...)
		if pkg := get[registry.Package](t, a, status); pkg.ID != id || pkg.Model != "flight-delay" || a.header.Get("Location") != path {
			t.Errorf("published %+v", pkg)
		}
	}
	if stored := must(w.as(auth.Viewer).Package(t.Context(), id))(t); string(stored) != string(b) {
		t.Errorf("manifest %s", stored)
	}
}

func TestPublishRefused(t *testing.T) {
	w := newWorld(t)
	run := w.run()
	m, blobs := w.files("tree")
	w.upload(blobs)
	b := string(must(m.Encode())(t))
	id := cas.Sum([]byte(b)).String()
	const other = "9081e64f-b2c0-455e-bcaa-c1c211fa124b"
	w.tokens["job"] = w.jobToken(run.ID)
	model := []string{headerModel, "flight-delay"}
	for name, c := range map[string]refusal{
		"nobody":                   {"", "PUT", "/v1/packages/" + id, b, model, 401, "unauthenticated", ""},
		"may not":                  {auth.Viewer, "PUT", "/v1/packages/" + id, b, model, 403, "forbidden", "packages.push"},
		"another run":              {"job", "PUT", "/v1/packages/" + id, b, append(model, headerRun, other), 403, "forbidden", run.ID.String()},
		"a job by hand":            {"job", "PUT", "/v1/packages/" + id, b, model, 403, "forbidden", headerRun},
		"no digest":                {auth.Trainer, "PUT", "/v1/packages/latest", b, model, 400, "bad_digest", "sha256."},
		"no model":                 {auth.Trainer, "PUT", "/v1/packages/" + id, b, nil, 400, "bad_model", headerModel},
		"no run id":                {auth.Trainer, "PUT", "/v1/packages/" + id, b, append(model, headerRun, "7"), 400, "bad_run_id", "UUID"},
		"no such run":              {auth.Trainer, "PUT", "/v1/packages/" + id, b, append(model, headerRun, other), 404, "not_found", ""},
		"another model's run":      {"job", "PUT", "/v1/packages/" + id, b, []string{headerModel, "x", headerRun, run.ID.String()}, 422, "invalid", "trains the model"},
		"other bytes":              {auth.Trainer, "PUT", "/v1/packages/" + id, b + " ", model, 422, "invalid", "hashes to"},
		"no manifest":              {auth.Trainer, "PUT", "/v1/packages/" + cas.Sum([]byte("{}")).String(), "{}", model, 422, "invalid", "canonical"},
		"too large":                {auth.Trainer, "PUT", "/v1/packages/" + id, strings.Repeat(" ", manifest.MaxManifest+1), model, 413, "too_large", ""},
		"U+0000":                   {auth.Trainer, "PUT", "/v1/packages/" + id, `{"a":"\u0000"}`, model, 400, "bad_text", ""},
		"blobs: may not":           {auth.Promoter, "POST", "/v1/blobs:missing", `{}`, nil, 403, "forbidden", ""},
		"blobs: unknown member":    {auth.Trainer, "POST", "/v1/blobs:missing", `{"blob":[]}`, nil, 400, "malformed", "blob"},
		"blobs: no JSON":           {auth.Trainer, "POST", "/v1/blobs:missing", `{`, nil, 400, "malformed", ""},
		"blobs: no digest":         {auth.Trainer, "POST", "/v1/blobs:missing", `{"blobs":[{"size":1}]}`, nil, 422, "invalid", "/blobs/0"},
		"blobs: bad digest":        {auth.Trainer, "POST", "/v1/blobs:missing", `{"blobs":[{"digest":"x"}]}`, nil, 400, "malformed", "digest"},
		"blobs: other size":        {auth.Trainer, "POST", "/v1/blobs:missing", `{"blobs":[{"size":1,"digest":"` + m.Config.Digest.String() + `"}]}`, nil, 422, "invalid", "/blobs/0/size"},
		"blobs: U+0000":            {auth.Trainer, "POST", "/v1/blobs:missing", `{"blobs":[{"mediaType":"a\u0000"}]}`, nil, 400, "bad_text", "U+0000"},
		"blobs: too large":         {auth.Trainer, "POST", "/v1/blobs:missing", strings.Repeat(" ", maxBlobList+1), nil, 413, "too_large", ""},
		"blobs: key of 300 bytes":  {auth.Trainer, "POST", "/v1/blobs:missing", `{}`, []string{httpapi.HeaderIdempotencyKey, strings.Repeat("k", 300)}, 400, "bad_idempotency_key", "255"},
		"list: limit":              {auth.Viewer, "GET", "/v1/packages?limit=1001", "", nil, 400, "bad_query", "1 to 1000"},
		"list: unknown parameter":  {auth.Viewer, "GET", "/v1/packages?modle=x", "", nil, 400, "bad_query", "modle"},
		"list: twice":              {auth.Viewer, "GET", "/v1/packages?limit=1&limit=2", "", nil, 400, "bad_query", "twice"},
		"list: bad model":          {auth.Viewer, "GET", "/v1/packages?model=A%2FB", "", nil, 400, "bad_name", ""},
		"list: U+0000":             {auth.Viewer, "GET", "/v1/packages?model=a%00", "", nil, 400, "bad_text", ""},
		"blobs: key of bytes":      {auth.Trainer, "POST", "/v1/blobs:missing", `{}`, []string{httpapi.HeaderIdempotencyKey, "\xff"}, 400, "bad_text", "UTF-8"},
		"list: no UTF-8":           {auth.Viewer, "GET", "/v1/packages?model=%ff", "", nil, 400, "bad_text", ""},
		"list: malformed":          {auth.Viewer, "GET", "/v1/packages?model=%zz", "", nil, 400, "bad_query", "percent"},
		"list: bad run":            {auth.Viewer, "GET", "/v1/packages?run=7", "", nil, 400, "bad_run_id", ""},
		"list: no such run":        {auth.Viewer, "GET", "/v1/packages?run=" + other, "", nil, 404, "not_found", ""},
		"manifest: unknown":        {auth.Viewer, "GET", "/v1/packages/" + id, "", nil, 404, "not_found", ""},
		"files: unknown":           {auth.Viewer, "GET", "/v1/packages/" + id + "/files", "", nil, 404, "not_found", ""},
		"attestations: unknown":    {auth.Viewer, "GET", "/v1/packages/" + id + "/attestations", "", nil, 404, "not_found", ""},
		"lineage: unknown":         {auth.Viewer, "GET", "/v1/packages/" + id + "/lineage", "", nil, 404, "not_found", ""},
		"lineage: no digest":       {auth.Viewer, "GET", "/v1/packages/x/lineage", "", nil, 400, "bad_digest", ""},
		"files: may not":           {auth.Producer, "GET", "/v1/packages/" + id + "/files", "", nil, 403, "forbidden", ""},
		"manifest: of the digests": {auth.Viewer, "GET", "/v1/packages/sha256:" + m.Config.Digest.Hex(), "", nil, 400, "bad_digest", ""},
	} {
		w.refuses(name, c)
	}
	if list := must(w.reg.Packages(t.Context(), registry.PackageFilter{}))(t); len(list) != 0 {
		t.Errorf("published %+v", list)
	}
}

func TestReadPackages(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Viewer)
	run, id := w.trained()
	byHand := w.publish("by hand")
	list := must(c.ListPackages(t.Context(), registry.PackageFilter{Model: "flight-delay"}))(t)
	if len(list) != 2 || list[0].ID != byHand || list[1].ID != id {
		t.Errorf("list %+v", list)
	}
	if list = must(c.ListPackages(t.Context(), registry.PackageFilter{Limit: 1}))(t); len(list) != 1 || list[0].ID != byHand {
		t.Errorf("newest %+v", list)
	}
	for query, want := range map[string]int{"model=nobody": 0, "run=" + run.ID.String(): 1, "model=x&run=" + run.ID.String(): 0} {
		a := get[struct{ Packages *[]registry.Package }](t, w.do(w.tokens[auth.Viewer], "GET", "/v1/packages?"+query, ""), http.StatusOK)
		if a.Packages == nil || len(*a.Packages) != want || want == 1 && (*a.Packages)[0].ID != id {
			t.Errorf("%s: %+v", query, a.Packages)
		}
	}
	l := must(c.Lineage(t.Context(), id))(t)
	if len(l.Runs) != 1 || l.Runs[0].Run.ID != run.ID || l.Runs[0].Dataset.Sources[0].Start != 5 || l.Package.ID != id {
		t.Errorf("lineage %+v", l)
	}
	if as := must(c.Attestations(t.Context(), id))(t); len(as) != 1 || as[0].Type != registry.AttestProvenance {
		t.Errorf("attestations %+v", as)
	}
	if a := w.do(w.tokens[auth.Viewer], "GET", "/v1/packages/"+byHand.String()+"/attestations", ""); a.body != `{"attestations":[]}`+"\n" {
		t.Errorf("nothing is said about %s: %s", byHand, a.body)
	}
	if _, err := c.Package(t.Context(), cas.Sum(nil)); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("no package: %v", err)
	}
}

func TestFilesCarryThePolicyOfTheSpec(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Viewer)
	_, id := w.trained()
	f := must(c.PackageFiles(t.Context(), id))(t)
	if len(f.Files) != 3 || f.Files[1].Path != "model.txt" || f.Files[1].Get.URL != "signed:"+cas.BlobKey(f.Files[1].Digest, 0) ||
		f.Files[1].Size != int64(len("trained")) || f.Model != "flight-delay" || f.Policy.LogInputs {
		t.Errorf("files %+v", f)
	}
	must(w.reg.Apply(t.Context(), must(spec.Parse([]byte(modelYAML)))(t), false))(t)
	if f = must(c.PackageFiles(t.Context(), id))(t); !f.Policy.LogInputs {
		t.Errorf("policy %+v", f.Policy)
	}
}

const modelYAML = `apiVersion: signalbox.dev/v1
kind: Model
metadata: {name: flight-delay}
spec:
  owner: ops
  project: demo
  train: {workflow_name: flight-delay, classifier_features: [delay], label: late}
  evaluation: {tag: production, metric: auc}
  prediction: {logInputs: true}
`

// A cluster may start a job twice: only the executor that has the attempt publishes, and only while it has it.
func TestJobsPublishWhileTheyCount(t *testing.T) {
	w := newWorld(t)
	run := w.run()
	first := w.jobToken(run.ID)
	put := func(token string, headers ...string) answer {
		t.Helper()
		headers = append(headers, "Signalbox-Model", "flight-delay", "Signalbox-Run", run.ID.String())
		return w.do(token, "PUT", "/v1/packages/"+cas.Sum([]byte("{}")).String(), "{}", headers...)
	}
	counts := func(a answer) bool { return a.status != http.StatusConflict } // that {} is no manifest comes behind it
	if a := put(first); !counts(a) {
		t.Errorf("an attempt that nobody claimed: %d %s", a.status, a.body)
	}
	must(w.reg.ClaimRun(t.Context(), run.ID, 1, "pod"))(t)
	for _, headers := range [][]string{nil, {"Signalbox-Executor", "other"}} {
		if p := get[problem](t, put(first, headers...), http.StatusConflict); p.Code != "fenced" {
			t.Errorf("%v: %+v", headers, p)
		}
	}
	if a := put(first, "Signalbox-Executor", "pod"); !counts(a) {
		t.Errorf("its executor: %d %s", a.status, a.body)
	}
	if a := put(w.tokens[auth.Trainer]); !counts(a) {
		t.Errorf("a person: %d %s", a.status, a.body)
	}
	must(w.reg.RetryRun(t.Context(), run.ID, 1, "", "lost"))(t)
	if p := get[problem](t, put(first, "Signalbox-Executor", "pod"), http.StatusConflict); p.Code != "fenced" {
		t.Errorf("an attempt that was given up: %+v", p)
	}
}
