package manifest

import "slices"

// packageConfig is the config blob of a package in ModelPack's form: which engine format, and the layers once more.
type packageConfig struct {
	Config struct {
		Format string `json:"format"`
	} `json:"config"`
	Descriptor struct{} `json:"descriptor"`
	ModelFS    struct {
		DiffIDs []string `json:"diffIds"`
		Type    string   `json:"type"`
	} `json:"modelfs"`
}

// EncodeConfig returns the bytes of the config blob for a package with these layers, in any order. Format is the one of
// the signature.
func EncodeConfig(format string, layers []Layer) ([]byte, error) {
	var c packageConfig
	c.Config.Format = format
	c.ModelFS.DiffIDs, c.ModelFS.Type = diffIDs(sorted(layers)), "layers"
	return encode(c)
}

// CheckConfig checks the bytes of p's config blob against p's layers and returns the format that it names. Errors are
// ErrInvalid.
func CheckConfig(b []byte, p Package) (format string, err error) {
	var c packageConfig
	if err := decodeCanonical(b, &c, func() ([]byte, error) { return encode(c) }); err != nil {
		return "", err
	}
	var fs FaultList
	fs.Check(c.Config.Format != "", "/config/format", "is missing")
	fs.Check(c.ModelFS.Type == "layers", "/modelfs/type", `want "layers"`)
	fs.Check(slices.Equal(c.ModelFS.DiffIDs, diffIDs(p.Layers)), "/modelfs/diffIds", "not the digests of the package's layers, in order")
	return c.Config.Format, fs.Join()
}

func diffIDs(layers []Layer) []string {
	out := make([]string, len(layers)) // raw layers: the diff id is the digest
	for i, l := range layers {
		out[i] = "sha256:" + l.Digest.Hex()
	}
	return out
}
