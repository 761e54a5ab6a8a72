package manifest

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// ociManifest is a Package on the wire. Here, and only here, a digest is spelled sha256:<hex>.
type ociManifest struct {
	ArtifactType  string          `json:"artifactType"`
	Config        ociDescriptor   `json:"config"`
	Layers        []ociDescriptor `json:"layers"`
	MediaType     string          `json:"mediaType"`
	SchemaVersion int             `json:"schemaVersion"`
}

type ociDescriptor struct {
	Annotations map[string]string `json:"annotations,omitempty"`
	Digest      string            `json:"digest"`
	MediaType   string            `json:"mediaType"`
	Size        int64             `json:"size"`
}

// Encode returns the canonical bytes, whose digest is the package's id. It sorts the layers by path.
func (p Package) Encode() ([]byte, error) {
	p.Layers = sorted(p.Layers)
	if err := p.validate(); err != nil {
		return nil, err
	}
	m := ociManifest{ArtifactType: MediaArtifact, Config: ociOf(p.Config), MediaType: MediaManifest, SchemaVersion: 2}
	for _, l := range p.Layers {
		d := ociOf(l.Descriptor)
		d.Annotations = map[string]string{AnnotationPath: l.Path}
		m.Layers = append(m.Layers, d)
	}
	return encode(m)
}

// DecodePackage reads the manifest of a package: strictly and only in its canonical form. Errors are ErrInvalid.
func DecodePackage(b []byte) (Package, error) {
	var m ociManifest
	if err := decodeCanonical(b, &m, func() ([]byte, error) { return encode(m) }); err != nil {
		return Package{}, err
	}
	var fs FaultList
	fs.Check(m.ArtifactType == MediaArtifact, "/artifactType", "want %s", MediaArtifact)
	fs.Check(m.MediaType == MediaManifest, "/mediaType", "want %s", MediaManifest)
	fs.Check(m.SchemaVersion == 2, "/schemaVersion", "want 2")
	fs.Check(len(m.Config.Annotations) == 0, "/config/annotations", "a config has none")
	p := Package{Config: m.Config.descriptor(&fs, "/config")}
	for i, l := range m.Layers {
		at := "/layers/" + strconv.Itoa(i)
		fs.Check(len(l.Annotations) == 1 && l.Annotations[AnnotationPath] != "", at+"/annotations",
			"want %s and nothing else", AnnotationPath)
		p.Layers = append(p.Layers, Layer{Descriptor: l.descriptor(&fs, at), Path: l.Annotations[AnnotationPath]})
	}
	if err := fs.Join(); err != nil {
		return Package{}, err
	}
	return p, p.validate()
}

// sorted orders layers by the bytes of their paths.
func sorted(layers []Layer) []Layer {
	return slices.SortedFunc(slices.Values(layers), func(a, b Layer) int { return cmp.Compare(a.Path, b.Path) })
}

func ociOf(d cas.Descriptor) ociDescriptor {
	return ociDescriptor{Digest: "sha256:" + d.Digest.Hex(), MediaType: d.MediaType, Size: d.Size}
}

func (o ociDescriptor) descriptor(fs *FaultList, at string) cas.Descriptor {
	d, err := cas.ParseHex(o.Digest)
	fs.Check(err == nil && strings.HasPrefix(o.Digest, "sha256:"), at+"/digest", "want sha256: and 64 lower-case hexadecimal digits")
	return cas.Descriptor{MediaType: o.MediaType, Digest: d, Size: o.Size}
}

// validate checks what the bytes alone can say. Whether the blobs exist, and what signature.json promises, is checked
// when the package is published.
func (p Package) validate() error {
	var fs FaultList
	fs.Check(p.Config.MediaType == MediaConfig, "/config/mediaType", "want %s", MediaConfig)
	fs.Check(p.Config.Size > 0 && p.Config.Size <= MaxManifest, "/config/size", "want 1 to %d bytes", MaxManifest)
	fs.Check(!p.Config.Digest.IsZero(), "/config/digest", "is missing")
	fs.Check(len(p.Layers) <= MaxLayers, "/layers", "%d files: at most %d are allowed", len(p.Layers), MaxLayers)
	_, signed := p.Layer(SignatureFile)
	fs.Check(signed, "/layers", "the file %s is missing", SignatureFile)
	sizes := map[cas.Digest]int64{p.Config.Digest: p.Config.Size}
	files, dirs := map[string]bool{}, map[string]bool{}
	for i, l := range p.Layers {
		at := "/layers/" + strconv.Itoa(i)
		fs.Check(layerMedia(l.MediaType), at+"/mediaType", "unknown media type %.100q", l.MediaType)
		fs.Check(l.Size >= 0 && l.Size <= MaxLayer, at+"/size", "want 0 to %d bytes", int64(MaxLayer))
		fs.Check(!l.Digest.IsZero(), at+"/digest", "is missing")
		if n, ok := sizes[l.Digest]; ok && n != l.Size {
			fs.Add(at+"/size", "the same digest has %d bytes elsewhere", n)
		}
		sizes[l.Digest] = l.Size
		if err := CheckPath(l.Path); err != nil {
			fs.Add(at, "%v", err)
			continue
		}
		fs.Check(i == 0 || p.Layers[i-1].Path < l.Path, at, "layers are not sorted by path, or %q is there twice", l.Path)
		f := fold(l.Path)
		fs.Check(!files[f] && !dirs[f], at, "path %q is the same as another on some file system", l.Path)
		files[f] = true
		for j, c := range f {
			if c == '/' {
				fs.Check(!files[f[:j]], at, "path %q needs a directory where a file is", l.Path)
				dirs[f[:j]] = true
			}
		}
	}
	return fs.Join()
}

func layerMedia(s string) bool {
	return s == MediaWeight || s == MediaWeightConfig || s == MediaCode || s == MediaDoc
}
