package registryapi

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/ledger"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/registry/remote"
	"github.com/signalbox-ml/signalbox/services/internal/auth"
)

func TestDatasets(t *testing.T) {
	w := newWorld(t)
	c := w.as(auth.Viewer)
	run, pkg := w.trained()
	if list := must(c.ListDatasets(t.Context(), registry.DatasetFilter{Name: "flights"}))(t); len(list) != 1 || list[0].ID != run.Dataset {
		t.Errorf("list %+v", list)
	}
	if a := w.do(w.tokens[auth.Viewer], "GET", "/v1/datasets?name=nobody&limit=5", ""); a.body != `{"datasets":[]}`+"\n" {
		t.Errorf("no such name: %s", a.body)
	}
	use := must(c.Dataset(t.Context(), run.Dataset))(t)
	if use.Dataset.ID != run.Dataset || len(use.Runs) != 1 || use.Runs[0].Package != pkg || len(use.Manifest.Sources) != 1 || use.Manifest.Sources[0].End != 9 {
		t.Errorf("use %+v", use)
	}
	doc := get[struct{ Manifest json.RawMessage }](t, w.do(w.tokens[auth.Viewer], "GET", "/v1/datasets/"+run.Dataset.String(), ""), 200)
	if cas.Sum(doc.Manifest) != run.Dataset {
		t.Errorf("the manifest hashes to %s", cas.Sum(doc.Manifest))
	}
	if m, err := manifest.DecodeDataset(doc.Manifest); err != nil || m.Label != "late" {
		t.Errorf("manifest %+v, %v", m, err)
	}
	for name, c := range map[string]refusal{
		"unknown":       {auth.Viewer, "GET", "/v1/datasets/" + pkg.String(), "", nil, 404, "not_found", ""},
		"no digest":     {auth.Viewer, "GET", "/v1/datasets/flights@latest", "", nil, 400, "bad_digest", ""},
		"may not":       {auth.Predictor, "GET", "/v1/datasets", "", nil, 403, "forbidden", "registry.read"},
		"bad name":      {auth.Viewer, "GET", "/v1/datasets?name=A", "", nil, 400, "bad_name", ""},
		"limit":         {auth.Viewer, "GET", "/v1/datasets?limit=-1", "", nil, 400, "bad_query", ""},
		"unknown query": {auth.Viewer, "GET", "/v1/datasets?label=x", "", nil, 400, "bad_query", "name"},
	} {
		w.refuses(name, c)
	}
}

// commit adds a flush with files of these numbers of rows.
func (w *world) commit(p ledger.Partition, through time.Time, rows ...int64) {
	w.t.Helper()
	claim := must(w.ledger.Claim(w.t.Context(), p, "test"))(w.t)
	f := ledger.Flush{Claim: claim, Start: claim.Next, End: claim.Next + 10, Reason: ledger.ReasonAge, ArchivedThrough: through, CaughtUp: true}
	for _, n := range rows {
		f.Records += n
		f.Files = append(f.Files, ledger.File{Key: uuid.NewString(), Digest: cas.Sum(nil), Bytes: 100, Rows: n, Type: "t", Start: f.Start, End: f.End})
	}
	must(w.ledger.Commit(w.t.Context(), f, nil))(w.t)
}

func TestArchive(t *testing.T) {
	w := newWorld(t)
	through := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	flights, old := ledger.Partition{TopicID: uuid.New(), Topic: "events.flights"}, ledger.Partition{TopicID: uuid.New(), Topic: "events.flights"}
	w.commit(old, through, 1)
	w.commit(flights, through, 2, 3)
	w.commit(flights, through.Add(time.Minute), 4)
	flights.Partition = 1
	must(w.ledger.Claim(t.Context(), flights, "test"))(t)
	w.commit(ledger.Partition{TopicID: uuid.New(), Topic: events.TopicTags}, through, 5)

	c := w.as(auth.Viewer)
	list := must(c.Archive(t.Context(), ""))(t)
	if len(list) != 2 || len(list[0].Partitions) != 2 || len(list[1].Partitions) != 1 {
		t.Fatalf("%+v", list)
	}
	if a := list[0]; a.Topic != "events.flights" || a.TopicID != flights.TopicID || a.Stream != "flights" {
		t.Errorf("topic %+v", a)
	}
	if p := list[0].Partitions[0]; p.Next != 20 || p.Epoch != 2 || p.Files != 3 || p.Rows != 9 || p.Bytes != 300 || !p.CaughtUp ||
		p.Through == nil || !p.Through.Equal(through.Add(time.Minute)) {
		t.Errorf("written %+v", p)
	}
	if p := list[0].Partitions[1]; p.Partition != 1 || p.Next != 0 || p.Files != 0 || p.Through != nil {
		t.Errorf("claimed only %+v", p)
	}
	if s := list[0].Several; s != (remote.ArchivedFiles{}) {
		t.Errorf("several %+v before anything is compacted", s)
	}
	if a := list[1]; a.Topic != events.TopicTags || a.Partitions[0].Rows != 5 {
		t.Errorf("another topic %+v", a)
	}
	if one := must(c.Archive(t.Context(), "events.flights"))(t); len(one) != 1 || len(one[0].Partitions) != 2 {
		t.Errorf("one topic %+v", one)
	}
	if a := w.do(w.tokens[auth.Viewer], "GET", "/v1/archive?topic=nothing", ""); a.body != `{"topics":[]}`+"\n" {
		t.Errorf("no such topic: %s", a.body)
	}
	w.refuses("may not", refusal{auth.Producer, "GET", "/v1/archive", "", nil, 403, "forbidden", "archive.read"})
	w.refuses("unknown query", refusal{auth.Viewer, "GET", "/v1/archive?limit=1", "", nil, 400, "bad_query", "topic"})
}

// TestArchiveAfterCompaction: what files hold is counted, whatever files it is in.
func TestArchiveAfterCompaction(t *testing.T) {
	w := newWorld(t)
	p := ledger.Partition{TopicID: uuid.New(), Topic: "events.flights"}
	w.commit(p, time.Time{}, 2, 3)
	p.Partition = 1
	w.commit(p, time.Time{}, 4, 5)
	spans := map[int32][]ledger.Span{0: {{End: 10}}, ledger.Several: {{End: 10}, {Partition: 1, End: 10}}}
	s := ledger.Swap{TopicID: p.TopicID, Topic: p.Topic, N: 1, Kind: ledger.SwapCompact, Manifest: "manifests/1"}
	rows := map[int32]int64{} // of the first file of partition 0, and of one of each
	for _, f := range must(w.ledger.Files(t.Context(), ledger.FileQuery{}))(t) {
		into := int32(ledger.Several)
		if f.Rows == 2 {
			into = 0
		} else if f.Rows == 5 {
			continue
		}
		rows[into] += f.Rows
		s.Remove = append(s.Remove, ledger.FileRef{Key: f.Key, Digest: f.Digest, Rows: f.Rows})
	}
	for into, name := range map[int32]string{0: "one", ledger.Several: "several"} {
		s.Add = append(s.Add, ledger.File{Key: name, Digest: cas.Sum(nil), Bytes: 50, Rows: rows[into], Type: "t", End: 10, Spans: spans[into]})
	}
	slices.SortFunc(s.Add, func(a, b ledger.File) int { return strings.Compare(a.Key, b.Key) })
	must(w.ledger.Swap(t.Context(), s))(t)

	a := must(w.as(auth.Viewer).Archive(t.Context(), ""))(t)[0]
	if a.Several != (remote.ArchivedFiles{Files: 1, Rows: 7, Bytes: 50}) {
		t.Errorf("several %+v", a.Several)
	}
	for i, want := range []remote.ArchivedFiles{{Files: 1, Rows: 2, Bytes: 50}, {Files: 1, Rows: 5, Bytes: 100}} {
		if p := a.Partitions[i]; (remote.ArchivedFiles{Files: p.Files, Rows: p.Rows, Bytes: p.Bytes}) != want {
			t.Errorf("partition %d: %+v, want %+v", i, p, want)
		}
	}
}

// Every route asks for a credential, and says no to a token without a role for it.
func TestEveryRouteIsGuarded(t *testing.T) {
	w := newWorld(t)
	for _, route := range w.router.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		for token, want := range map[string]int{"": 401, "sbx_admin_x": 401, w.tokens[auth.Predictor]: 403} {
			r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+strings.NewReplacer("{", "", "}", "").Replace(path), nil)
			r.Header.Set("Authorization", "Bearer "+token)
			rec := httptest.NewRecorder()
			if w.router.ServeHTTP(rec, r); rec.Code != want {
				t.Errorf("%s: %d, want %d", route.Pattern, rec.Code, want)
			}
		}
	}
	if n := len(w.router.Routes()); n != 19 {
		t.Errorf("%d routes", n)
	}
}

func TestConfig(t *testing.T) {
	_, err := New(Config{SearchFiles: -1})
	for _, want := range []string{"registry", "ledger", "topics", "negative"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}

func TestDocumentFaultsKeepTheRest(t *testing.T) {
	var none, all manifest.FaultList
	if documentFaults(&none, errors.New("no document"), nil); len(none) != 0 {
		t.Errorf("%+v", none)
	}
	deep := &registry.DocumentError{Kind: "Stream", Name: "s", Err: errors.Join(&manifest.Fault{Path: "/b", Problem: "x"}, &manifest.Fault{Problem: "y"})}
	documentFaults(&all, errors.Join(nil, deep), nil)
	if err := all.Join(); err == nil || err.Error() != "Stream s: /b: x\nStream s: y" {
		t.Errorf("%v", err)
	}
}

// FuzzGeneration: an entity tag that is read is the one that is written.
func FuzzGeneration(f *testing.F) {
	for _, s := range []string{`"7"`, `"0"`, `"-1"`, `"+1"`, `"01"`, `W/"1"`, `"`, `""`, `*`, `"9223372036854775808"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, ok := generation(s); ok && (n < 1 || etag(n) != s) {
			t.Errorf("%q is read as %d", s, n)
		}
	})
}
