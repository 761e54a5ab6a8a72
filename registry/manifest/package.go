package manifest

import (
	"slices"

	"github.com/signalbox-ml/signalbox/registry/cas"
)

// Media types of a package: an OCI image manifest in ModelPack's vocabulary.
const (
	MediaManifest     = "application/vnd.oci.image.manifest.v1+json"
	MediaArtifact     = "application/vnd.cncf.model.manifest.v1+json"
	MediaConfig       = "application/vnd.cncf.model.config.v1+json"
	MediaWeight       = "application/vnd.cncf.model.weight.v1.raw"
	MediaWeightConfig = "application/vnd.cncf.model.weight.config.v1.raw"
	MediaCode         = "application/vnd.cncf.model.code.v1.raw"
	MediaDoc          = "application/vnd.cncf.model.doc.v1.raw"

	// AnnotationPath names the file that a layer is.
	AnnotationPath = "org.cncf.model.filepath"
)

// SignatureFile is the file of every package that holds its Signature.
const SignatureFile = "signature.json"

const (
	// MaxLayers is the number of files in the largest package.
	MaxLayers = 1000
	// MaxLayer is the size of the largest file, in bytes: what S3 takes in one checked PUT.
	MaxLayer = 5 << 30
)

// Package is the manifest of a model package. Its identity is the digest of its canonical bytes, so it holds content
// only: no names, times, runs or users.
type Package struct {
	Config cas.Descriptor
	// Layers are the files, sorted by path, one raw layer each.
	Layers []Layer
}

// Layer is one file.
type Layer struct {
	cas.Descriptor
	Path string
}

// Layer returns the file at path.
func (p Package) Layer(path string) (Layer, bool) {
	i := slices.IndexFunc(p.Layers, func(l Layer) bool { return l.Path == path })
	if i < 0 {
		return Layer{}, false
	}
	return p.Layers[i], true
}

// Size returns the bytes of all layers.
func (p Package) Size() int64 {
	var n int64
	for _, l := range p.Layers {
		n += l.Size
	}
	return n
}

// Blobs returns the config and the layers, each digest once.
func (p Package) Blobs() []cas.Descriptor {
	out := []cas.Descriptor{p.Config}
	seen := map[cas.Digest]bool{p.Config.Digest: true}
	for _, l := range p.Layers {
		if !seen[l.Digest] {
			seen[l.Digest] = true
			out = append(out, l.Descriptor)
		}
	}
	return out
}
