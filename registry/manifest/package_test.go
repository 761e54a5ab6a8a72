package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

func file(path, content string) Layer {
	return Layer{Path: path, Descriptor: describe(MediaWeight, []byte(content))}
}

func withFiles(layers ...Layer) Package {
	layers = append(layers, file(SignatureFile, "{}"))
	return Package{Config: describe(MediaConfig, []byte("config")), Layers: layers}
}

func TestPackageEncodeRefuses(t *testing.T) {
	one := func(change func(*Package)) Package {
		p := withFiles(file("model.txt", "tree"))
		change(&p)
		return p
	}
	var many []Layer
	for i := range MaxLayers {
		many = append(many, file(fmt.Sprintf("f%04d", i), "x"))
	}
	for _, tc := range []struct {
		name string
		p    Package
	}{
		{"no signature", Package{Config: describe(MediaConfig, []byte("c")), Layers: []Layer{file("a", "a")}}},
		{"no config", one(func(p *Package) { p.Config = cas.Descriptor{} })},
		{"config of another type", one(func(p *Package) { p.Config.MediaType = MediaDoc })},
		{"unknown media type", one(func(p *Package) { p.Layers[0].MediaType = "text/plain" })},
		{"negative size", one(func(p *Package) { p.Layers[0].Size = -1 })},
		{"file over 5 GiB", one(func(p *Package) { p.Layers[0].Size = MaxLayer + 1 })},
		{"no digest", one(func(p *Package) { p.Layers[0].Digest = cas.Digest{} })},
		{"one digest, two sizes", one(func(p *Package) { p.Layers[0].Digest = p.Layers[1].Digest; p.Layers[0].Size = 77 })},
		{"same path", withFiles(file("a", "1"), file("a", "2"))},
		{"same path in another case", withFiles(file("Model.txt", "1"), file("model.TXT", "2"))},
		{"same path under Unicode folding", withFiles(file("\u212a", "1"), file("k", "2"))},
		{"file and directory", withFiles(file("a", "1"), file("a/b", "2"))},
		{"file and directory in another case", withFiles(file("A/b", "1"), file("a", "2"))},
		{"too many files", withFiles(many...)},
	} {
		if b, err := tc.p.Encode(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: encoded as %.100s, %v, want ErrInvalid", tc.name, b, err)
		}
	}
}

func TestPackageParts(t *testing.T) {
	p := withFiles(file("b", "same"), file("a", "same"), file("c", "other"))
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if p.Layers[0].Path != "b" {
		t.Error("Encode sorted the caller's layers")
	}
	if p, err = DecodePackage(b); err != nil {
		t.Fatal(err)
	}
	if l, ok := p.Layer("a"); !ok || l.Size != 4 || p.Layers[0].Path != "a" {
		t.Errorf("Layer(a) = %+v, %v", l, ok)
	}
	if _, ok := p.Layer("d"); ok {
		t.Error("a file that is not there is found")
	}
	if p.Size() != 4+4+5+2 {
		t.Errorf("size = %d, want 15", p.Size())
	}
	if got := p.Blobs(); len(got) != 4 || got[0] != p.Config {
		t.Errorf("blobs = %v, want the config and three", got)
	}
}

func TestCheckPath(t *testing.T) {
	for _, p := range []string{"a", "a/b/c.py", "code/größe.py", ".hidden", "a..b", "a b", "...", strings.Repeat("x", maxPath)} {
		if err := CheckPath(p); err != nil {
			t.Errorf("CheckPath(%q) = %v", p, err)
		}
	}
	for _, p := range []string{
		"", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", `a\b`, "a\x00b", "a\nb", "\xff", "C:\\x", "a\u0085b",
		strings.Repeat("x", maxPath+1),
	} {
		if CheckPath(p) == nil {
			t.Errorf("CheckPath(%q) is fine", p)
		}
	}
}

// mutations of a valid manifest that must not be taken for a package.
func TestDecodePackageRefuses(t *testing.T) {
	b, err := withFiles(file("model.txt", "tree")).Encode()
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) func(string) string {
		return func(s string) string {
			if !strings.Contains(s, old) {
				t.Fatalf("%q is not in %s", old, s)
			}
			return strings.Replace(s, old, with, 1)
		}
	}
	for name, change := range map[string]func(string) string{
		"white space":         func(s string) string { return s + "\n" },
		"trailing value":      func(s string) string { return s + "{}" },
		"unknown member":      replace(`{"artifactType"`, `{"annotations":{},"artifactType"`),
		"duplicate member":    replace(`"schemaVersion":2`, `"schemaVersion":2,"schemaVersion":2`),
		"other order":         replace(`{"artifactType":"`+MediaArtifact+`",`, `{`),
		"other schema":        replace(`"schemaVersion":2`, `"schemaVersion":1`),
		"other artifact":      replace(MediaArtifact, "application/json"),
		"other manifest":      replace(MediaManifest, "application/json"),
		"upper-case digest":   replace("sha256:"+cas.Sum([]byte("tree")).Hex(), "sha256:"+strings.ToUpper(cas.Sum([]byte("tree")).Hex())),
		"digest without name": replace(`"sha256:`, `"`),
		"base32 digest":       replace("sha256:"+cas.Sum([]byte("tree")).Hex(), cas.Sum([]byte("tree")).String()),
		"no path":             replace(`{"annotations":{"`+AnnotationPath+`":"model.txt"},"digest"`, `{"digest"`),
		"second annotation":   replace(`"model.txt"`, `"model.txt","title":"x"`),
		"traversal":           replace(`"model.txt"`, `"../del.txt"`),
		"escaped path":        replace(`"model.txt"`, `"\u006dodel.txt"`),
		"unsorted":            replace(`"model.txt"`, `"zodel.txt"`),
		"size as a fraction":  replace(`"size":4}`, `"size":4.0}`),
		"size as text":        replace(`"size":4}`, `"size":"4"}`),
		"no layers":           func(string) string { return `{"artifactType":"` + MediaArtifact + `"}` },
		"null":                func(string) string { return "null" },
		"too large":           func(s string) string { return s + strings.Repeat(" ", MaxManifest) },
	} {
		if p, err := DecodePackage([]byte(change(string(b)))); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: decoded as %+v, %v, want ErrInvalid", name, p, err)
		}
	}
}

func TestCheckConfig(t *testing.T) {
	p := withFiles(file("model.txt", "tree"))
	c, err := EncodeConfig(FormatLightGBM, p.Layers)
	if err != nil {
		t.Fatal(err)
	}
	if format, err := CheckConfig(c, p); err != nil || format != FormatLightGBM {
		t.Errorf("CheckConfig = %q, %v", format, err)
	}
	other := withFiles(file("model.txt", "another tree"))
	if _, err := CheckConfig(c, other); !errors.Is(err, ErrInvalid) {
		t.Errorf("config of another package: %v, want ErrInvalid", err)
	}
	if _, err := CheckConfig(append(c, '\n'), p); !errors.Is(err, ErrInvalid) {
		t.Errorf("config in another form: %v, want ErrInvalid", err)
	}
}

func FuzzDecodePackage(f *testing.F) {
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Manifest))
	}
	f.Add([]byte(`{"artifactType":"","config":{"digest":"","mediaType":"","size":0},"layers":null,"mediaType":"","schemaVersion":0}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := DecodePackage(b)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%v is no ErrInvalid", err)
			}
			return
		}
		again, err := p.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q was accepted, but encodes as %q, %v", b, again, err)
		}
	})
}
