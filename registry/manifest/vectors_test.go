package manifest

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/schemas"
)

var update = flag.Bool("update", false, "rewrite the golden vectors")

type vector struct {
	Files []struct {
		Path      string `json:"path"`
		MediaType string `json:"mediaType"`
		Content   []byte `json:"content_base64"`
	} `json:"files"`
	Config   string     `json:"config"`
	Manifest string     `json:"manifest"`
	ID       cas.Digest `json:"id"`
}

// build makes the config and the manifest of the vector's files.
func (v vector) build(t *testing.T) (config, manifest []byte) {
	t.Helper()
	var p Package
	for _, f := range v.Files {
		p.Layers = append(p.Layers, Layer{Path: f.Path, Descriptor: describe(f.MediaType, f.Content)})
	}
	sig, ok := p.Layer(SignatureFile)
	if !ok {
		t.Fatal("no signature.json")
	}
	var format string
	for _, f := range v.Files {
		if f.Path == sig.Path {
			s, err := DecodeSignature(f.Content)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.CheckFiles(p); err != nil {
				t.Fatal(err)
			}
			format = s.Format
		}
	}
	config, err := EncodeConfig(format, p.Layers)
	if err != nil {
		t.Fatal(err)
	}
	p.Config = describe(MediaConfig, config)
	if manifest, err = p.Encode(); err != nil {
		t.Fatal(err)
	}
	return config, manifest
}

func describe(media string, b []byte) cas.Descriptor {
	return cas.Descriptor{MediaType: media, Digest: cas.Sum(b), Size: int64(len(b))}
}

func readVectors(t testing.TB) map[string]vector {
	t.Helper()
	names, err := fs.Glob(schemas.Vectors, "vectors/package-*.json")
	if err != nil || len(names) < 2 {
		t.Fatalf("%d package vectors, %v: want at least 2", len(names), err)
	}
	out := map[string]vector{}
	for _, name := range names {
		b, err := fs.ReadFile(schemas.Vectors, name)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[strings.TrimPrefix(name, "vectors/")] = v
	}
	return out
}

func TestVectors(t *testing.T) {
	for name, v := range readVectors(t) {
		t.Run(name, func(t *testing.T) {
			config, manifest := v.build(t)
			if *update {
				v.Config, v.Manifest, v.ID = string(config), string(manifest), cas.Sum(manifest)
				b, err := json.MarshalIndent(v, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join("../../schemas/vectors", name), append(b, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if string(config) != v.Config {
				t.Errorf("config =\n  %s\nwant\n  %s", config, v.Config)
			}
			if string(manifest) != v.Manifest {
				t.Errorf("manifest =\n  %s\nwant\n  %s", manifest, v.Manifest)
			}
			if id := cas.Sum(manifest); id != v.ID {
				t.Errorf("id = %s, want %s", id, v.ID)
			}
			p, err := DecodePackage(manifest)
			if err != nil {
				t.Fatal(err)
			}
			again, err := p.Encode()
			if err != nil || !bytes.Equal(again, manifest) {
				t.Errorf("encoded again = %s, %v", again, err)
			}
			if _, err := CheckConfig(config, p); err != nil {
				t.Errorf("config of its own package: %v", err)
			}
		})
	}
}
