package inference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
	"github.com/signalbox-ml/signalbox/services/inference/runtime/trees"
)

// trained is a package around a model that LightGBM trained, with the rows and the probabilities of its fixture.
type trained struct {
	built
	rows []string // JSON objects
	want []float64
}

func trainedPackage(t testing.TB) trained {
	t.Helper()
	const dir = "runtime/trees/testdata/"
	model, err := os.ReadFile(dir + "lgb-frame.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := bytes.Cut(model, []byte("pandas_categorical:"))
	var categories [][]string
	if err := json.Unmarshal(bytes.TrimSpace(line), &categories); err != nil {
		t.Fatal(err)
	}
	sig := manifest.Signature{
		Runtime: manifest.RuntimeTrees, Format: manifest.FormatLightGBM, Model: "model.txt", Golden: "golden.jsonl",
		Outputs: []manifest.Column{{Name: "probability", Type: manifest.Number}},
	}
	for _, name := range []string{"dep_delay", "distance", "hour", "seats"} {
		sig.Inputs = append(sig.Inputs, manifest.Column{Name: name, Type: manifest.Number, Nullable: true})
	}
	for i, name := range []string{"carrier", "dest"} {
		sig.Inputs = append(sig.Inputs, manifest.Column{Name: name, Type: manifest.String, Nullable: true, Categories: categories[i]})
	}
	p := trained{built: built{files: map[string][]byte{"model.txt": model}}}
	p.read(t, dir+"lgb-frame.tsv", sig)
	for i, row := range p.rows[:32] {
		p.files["golden.jsonl"] = fmt.Appendf(p.files["golden.jsonl"], "{\"input\":%s,\"output\":{\"probability\":%v}}\n", row, p.want[i])
	}
	if p.files[manifest.SignatureFile], err = json.Marshal(sig); err != nil {
		t.Fatal(err)
	}
	m := manifest.Package{Config: cas.Descriptor{MediaType: manifest.MediaConfig, Digest: cas.Sum([]byte("config")), Size: 6}}
	for path, body := range p.files {
		d := cas.Descriptor{MediaType: manifest.MediaWeight, Digest: cas.Sum(body), Size: int64(len(body))}
		m.Layers = append(m.Layers, manifest.Layer{Descriptor: d, Path: path})
	}
	if p.manifest, err = m.Encode(); err != nil {
		t.Fatal(err)
	}
	p.id = cas.Sum(p.manifest)
	return p
}

// read turns the rows of a fixture into what a client would send.
func (p *trained) read(t testing.TB, table string, sig manifest.Signature) {
	t.Helper()
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.Split(line, "|")
		row := map[string]any{}
		for i, word := range strings.Fields(parts[0]) {
			v, err := strconv.ParseFloat(word, 64)
			switch c := sig.Inputs[i]; {
			case err != nil:
				t.Fatal(err)
			case math.IsInf(v, 0):
				row = nil
			case row == nil:
			case math.IsNaN(v):
				row[c.Name] = nil
			case len(c.Categories) > 0:
				row[c.Name] = c.Categories[int(v)]
			default:
				row[c.Name] = v
			}
		}
		if row == nil {
			continue // JSON has no infinity
		}
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		want, err := strconv.ParseFloat(strings.TrimSpace(parts[2]), 64)
		if err != nil {
			t.Fatal(err)
		}
		p.rows, p.want = append(p.rows, string(b)), append(p.want, want)
	}
}

// startTrained serves a trained model.
func startTrained(t testing.TB) (*running, trained) {
	t.Helper()
	w, p := newWorld(t), trainedPackage(t)
	w.add(p.built)
	w.move(production, 1, p.built)
	cfg := w.config(t.TempDir())
	cfg.Runtimes[manifest.RuntimeTrees] = trees.Runtime{}
	s := w.start(t, cfg)
	s.serves(t, production, 1)
	return s, p
}

// TestAnswersOfATrainedModel asks over HTTP for what LightGBM's Python package predicted, and wants the same bits.
func TestAnswersOfATrainedModel(t *testing.T) {
	s, p := startTrained(t)
	if len(p.rows) < 300 {
		t.Fatalf("only %d rows", len(p.rows))
	}
	got := s.ask(t, http.StatusOK, predictPath, `{"rows":[`+strings.Join(p.rows, ",")+`]}`)
	for i, row := range p.rows {
		if math.Float64bits(*got.Predictions[i].Probability) != math.Float64bits(p.want[i]) {
			t.Errorf("row %s: got %v, want %v", row, *got.Predictions[i].Probability, p.want[i])
		}
	}
}

// BenchmarkHandler is a request from its body to its answer, without the network: rows of a fixture round and round.
func BenchmarkHandler(b *testing.B) {
	s, p := startTrained(b)
	s.cfg.Recorder, s.journal.cfg.Recorder = nil, nil
	for _, rows := range []int{1, 64} {
		var bodies []string
		for at := 0; at+rows <= len(p.rows); at += rows {
			bodies = append(bodies, `{"rows":[`+strings.Join(p.rows[at:at+rows], ",")+`]}`)
		}
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			b.ReportAllocs()
			r := httptest.NewRequest(http.MethodPost, predictPath, nil)
			r.SetPathValue("model", "flights")
			r.SetPathValue("tag", "production")
			k := 0
			for b.Loop() {
				body := bodies[k%len(bodies)]
				r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
				w := httptest.NewRecorder()
				if err := s.predictTag(w, r); err != nil {
					b.Fatal(err)
				}
				k++
			}
		})
	}
}
