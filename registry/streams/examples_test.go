package streams

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// TestExamplesCompile: every stream that we show can be used as it stands.
func TestExamplesCompile(t *testing.T) {
	dir := os.DirFS("../../deploy/examples")
	types := 0
	err := fs.WalkDir(dir, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".yaml") {
			return err
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		docs, err := spec.Parse(text)
		if err != nil {
			return nil // it is no file of specs
		}
		for _, d := range docs {
			if d.Kind != spec.KindStream {
				continue
			}
			got, err := compile(&Table{}, []registry.Spec{{Kind: d.Kind, Name: d.Metadata.Name, Body: d.Spec}}, time.Now())
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			types += len(got.types)
		}
		return nil
	})
	if err != nil || types < 5 {
		t.Errorf("%d types, %v", types, err)
	}
}
