package lint

import (
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each fuzz target begins where the last fuzzing ended, and no corpus is left of a target that is gone.
func TestFuzzTargetsHaveACorpus(t *testing.T) {
	targets := map[string]bool{}
	for _, p := range load(t) {
		for _, f := range p.tests {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || !strings.HasPrefix(fn.Name.Name, "Fuzz") || fn.Recv != nil {
					continue
				}
				dir := filepath.Join(p.dir, "testdata", "fuzz", fn.Name.Name)
				targets[dir] = true
				if inputs, err := os.ReadDir(filepath.Join(root, dir)); err != nil || len(inputs) == 0 {
					t.Errorf("%s has no corpus: run deploy/setup/fuzz.sh 30s '%s %s$', then deploy/setup/corpus.sh",
						p.fset.Position(fn.Pos()), p.dir, fn.Name.Name)
				}
			}
		}
		kept, err := filepath.Glob(filepath.Join(root, p.dir, "testdata", "fuzz", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range kept {
			rel, err := filepath.Rel(root, dir)
			if err != nil {
				t.Fatal(err)
			}
			if !targets[rel] {
				t.Errorf("%s: the corpus of no target", rel)
			}
		}
	}
	if len(targets) < 20 {
		t.Fatalf("found %d targets: the search is broken", len(targets))
	}
}
