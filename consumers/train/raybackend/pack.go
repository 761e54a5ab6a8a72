package raybackend

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/signalbox-ml/signalbox/consumers/train"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/manifest"
)

// maxPackage bounds a package, in bytes: Ray keeps them in the memory of its head.
const maxPackage = 16 << 20

const jobFile = "job.json"

// pack is a zip file whose name is the digest of its content, so that the same one is uploaded once.
type pack struct {
	name    string
	content []byte
}

func (p pack) uri() string { return "gcs://" + p.name }

// packFiles makes a package: the same files give the same bytes.
func packFiles(files map[string][]byte, mode fs.FileMode) (pack, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &zip.FileHeader{Name: name, Method: zip.Deflate}
		header.SetMode(mode)
		f, err := w.CreateHeader(header)
		if err == nil {
			_, err = f.Write(files[name])
		}
		if err != nil {
			return pack{}, fmt.Errorf("package %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return pack{}, fmt.Errorf("package: %w", err)
	}
	return pack{"signalbox_" + cas.Sum(out.Bytes()).Hex() + ".zip", out.Bytes()}, nil
}

// packJob packs the document and the workflow's sources.
func packJob(j train.Job) (pack, error) {
	files := map[string][]byte{jobFile: j.Spec}
	for name, content := range j.Files {
		if !fs.ValidPath(name) || name == "." || name == jobFile {
			return pack{}, &manifest.Fault{Path: "/workflow", Problem: fmt.Sprintf("file %q of a job has a name that it cannot have", name)}
		}
		files[name] = []byte(content)
	}
	p, err := packFiles(files, 0o600)
	if err == nil && len(p.content) > maxPackage {
		err = &manifest.Fault{Path: "/workflow", Problem: fmt.Sprintf("job document and sources take %d bytes: a Ray job takes %d", len(p.content), maxPackage)}
	}
	return p, err
}

// packSource packs the Python package signalbox.
func packSource(source fs.FS) (pack, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(source, "signalbox", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".py" && path.Base(name) != "py.typed" {
			return err
		}
		files[name], err = fs.ReadFile(source, name)
		return err
	})
	if err == nil && files["signalbox/launcher.py"] == nil {
		err = fmt.Errorf("signalbox/launcher.py: %w", fs.ErrNotExist)
	}
	if err != nil {
		return pack{}, fmt.Errorf("source of the Python package: %w", err)
	}
	return packFiles(files, 0o644)
}
