package mirror

import (
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/signalbox-ml/signalbox/schemas"
)

const open0 = `{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"order","type":"object","properties":{"id":{"type":"string"}},"required":["id"]}`

var open1 = strings.Replace(open0, `"id":`, `"fee":{"type":"number"},"id":`, 1)

func version(name, text string) Version { return Version{Name: name, Text: []byte(text)} }

func newMirror(t *testing.T, cfg Config) *Mirror {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// push returns the results in words.
func push(t *testing.T, m *Mirror, dryRun bool, versions ...Version) string {
	t.Helper()
	results, err := m.Push(t.Context(), []Subject{{Name: "events.shop-order", Versions: versions}}, dryRun)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range results {
		if (r.ID == 0) != (r.Result == Missing || r.Result == Kept) {
			t.Errorf("%+v", r)
		}
		out = append(out, r.Version+" "+r.Result)
	}
	return strings.Join(out, ", ")
}

// mirrors is what every registry has to do.
func mirrors(t *testing.T, url string) {
	t.Helper()
	m := newMirror(t, Config{URL: url})
	first, second := version("1.0", open0), version("1.1", open1)
	for _, c := range []struct {
		name     string
		dryRun   bool
		versions []Version
		want     string
	}{
		{"a dry run", true, []Version{first}, "1.0 missing"},
		{"which left nothing", false, []Version{first}, "1.0 registered"},
		{"again", false, []Version{first}, "1.0 present"},
		{"a dry run of two", true, []Version{first, second}, "1.0 present, 1.1 missing"},
		{"an optional member more", false, []Version{first, second}, "1.0 present, 1.1 registered"},
		{"an old one is described", false, []Version{version("1.0", strings.Replace(open0, `"type":"object"`, `"description":"new","type":"object"`, 1)), second},
			"1.0 kept, 1.1 present"},
	} {
		if got := push(t, m, c.dryRun, c.versions...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	client, err := sr.NewClient(sr.URLs(url))
	if err != nil {
		t.Fatal(err)
	}
	latest, err := client.SchemaByVersion(t.Context(), "events.shop-order", -1)
	if err != nil || latest.Type != sr.TypeJSON || latest.Schema.Schema != open1 || latest.Version != 2 {
		t.Errorf("the registry has %+v, %v", latest, err)
	}
	if level := client.Compatibility(t.Context(), "events.shop-order")[0]; level.Err != nil || level.Level != sr.CompatNone {
		t.Errorf("level %+v", level)
	}
}

func TestFake(t *testing.T) {
	reg := srfake.New()
	defer reg.Close()
	mirrors(t, reg.URL())
}

func TestApicurio(t *testing.T) {
	url := startApicurio(t)
	mirrors(t, url)
	// It takes what Signalbox publishes about itself, once.
	for _, want := range []string{Registered, Present} {
		results, err := newMirror(t, Config{URL: url}).Push(t.Context(), own(t), false)
		if err != nil || len(results) < 14 {
			t.Fatalf("%d results, %v", len(results), err)
		}
		for _, r := range results {
			if r.Result != want {
				t.Errorf("%+v, want %s", r, want)
			}
		}
	}
	// A registry's own rule does not know readers that leave members out, and this one's not even the dialect.
	m := newMirror(t, Config{URL: url, Compatibility: "FULL_TRANSITIVE"})
	results, err := m.Push(t.Context(), []Subject{{Name: "strict", Versions: []Version{version("1.0", open0), version("1.1", open1)}}}, false)
	if err == nil || !strings.Contains(err.Error(), "--compatibility NONE") {
		t.Errorf("%+v, %v", results, err)
	}
	if len(results) != 1 || results[0].Result != Registered {
		t.Errorf("how far it came: %+v", results)
	}
}

// own are Signalbox's own schemas.
func own(t *testing.T) (out []Subject) {
	t.Helper()
	files, err := fs.Glob(schemas.Events, "*/*/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := fs.ReadFile(schemas.Events, name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Subject{Name: "own-" + path.Dir(path.Dir(name)), Versions: []Version{{Name: name, Text: b}}})
	}
	return out
}

func TestErrorsSayWhatToDo(t *testing.T) {
	secured := srfake.New(srfake.WithAuth("Basic dTpw")) // u:p
	defer secured.Close()
	if got := push(t, newMirror(t, Config{URL: secured.URL(), User: "u", Password: "p"}), false, version("1.0", open0)); got != "1.0 registered" {
		t.Error(got)
	}
	answers := func(status int, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tls.Certificate().Raw})
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"no credentials":   {Config{URL: secured.URL()}, "--user and --password-file"},
		"wrong password":   {Config{URL: secured.URL(), User: "u", Password: "x"}, "--user and --password-file"},
		"no registry":      {Config{URL: answers(404, "not found")}, "/apis/ccompat/v7"},
		"cannot be used":   {Config{URL: answers(422, `{"error_code":42201,"message":"Invalid schema"}`)}, "Invalid schema"},
		"unwell":           {Config{URL: answers(503, `{"error_code":50301,"message":"no leader"}`)}, "no leader: try again later"},
		"nobody is there":  {Config{URL: "http://127.0.0.1:1"}, "is there a schema registry at http://127.0.0.1:1?"},
		"unknown issuer":   {Config{URL: tls.URL}, "--ca-file"},
		"issuer is known":  {Config{URL: tls.URL, CA: ca}, "/apis/ccompat/v7"},
		"a page of a wall": {Config{URL: answers(200, "<html>")}, "is there a schema registry"},
	} {
		_, err := newMirror(t, c.cfg).Push(t.Context(), []Subject{{Name: "s", Versions: []Version{version("1.0", open0)}}}, false)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "push s: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	_, err := New(Config{URL: "https://u:p@registry", User: "u", Timeout: -1, Compatibility: "SOME"})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"no password in it", "both or none", "negative", "_TRANSITIVE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q: %v", want, err)
		}
	}
	if _, err := New(Config{URL: "https://registry", CA: []byte("x")}); err == nil {
		t.Error("a CA without a certificate is taken")
	}
	names := []string{SubjectName("events.shop", "order", 1), SubjectName("events.shop", "order", 2)}
	if !slices.Equal(names, []string{"events.shop-order", "events.shop-order-v2"}) {
		t.Error(names)
	}
}
