package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/signalbox-ml/signalbox"
	root   = "../.."
)

// pkg is one directory of Go files.
type pkg struct {
	dir   string
	files []*ast.File // without tests
	tests []*ast.File
	fset  *token.FileSet
}

// load parses every package of the module.
func load(t *testing.T) []pkg {
	t.Helper()
	byDir := map[string]*pkg{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && (e.Name() == "testdata" || e.Name() == "node_modules" || strings.HasPrefix(e.Name(), ".") && p != root) {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(p, "go.mod")); e.IsDir() && err == nil && p != root {
			return fs.SkipDir // another module
		}
		if e.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(p))
		if err != nil {
			return err
		}
		if byDir[rel] == nil {
			byDir[rel] = &pkg{dir: rel, fset: fset}
		}
		if strings.HasSuffix(p, "_test.go") {
			byDir[rel].tests = append(byDir[rel].tests, f)
		} else {
			byDir[rel].files = append(byDir[rel].files, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var out []pkg
	for _, p := range byDir {
		if rank(p.dir) < 0 {
			t.Errorf("%s: outside the top folders %v", p.dir, order)
		}
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b pkg) int { return strings.Compare(a.dir, b.dir) })
	if len(out) < 5 {
		t.Fatalf("found %d packages: the walk is broken", len(out))
	}
	return out
}

func importPath(i *ast.ImportSpec) string {
	p, _ := strconv.Unquote(i.Path.Value)
	return p
}

func local(imp string) (string, bool) {
	if imp == module {
		return ".", true
	}
	return strings.CutPrefix(imp, module+"/")
}

func rank(dir string) int {
	top, _, _ := strings.Cut(dir, "/")
	return slices.Index(order, top)
}

// laws is law.txt.
type laws struct {
	packages map[string]rule
	free     []string
	owners   []string
}

type rule struct {
	imports []string
	owns    []string
}

func (r rule) mayImport(dir string) bool { return slices.Contains(r.imports, dir) }

// owned returns the owned module that imp belongs to.
func (l laws) owned(imp string) string { return longest(l.owners, imp) }
func (l laws) isFree(imp string) bool  { return longest(l.free, imp) != "" }

func longest(mods []string, imp string) string {
	best := ""
	for _, m := range mods {
		if (imp == m || strings.HasPrefix(imp, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

func readLaw(t *testing.T) laws {
	t.Helper()
	b, err := os.ReadFile("law.txt")
	if err != nil {
		t.Fatal(err)
	}
	l, err := parseLaw(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// parseLaw reads lines of "package: import import … | module module …", and "free: module …".
func parseLaw(s string) (laws, error) {
	l := laws{packages: map[string]rule{}}
	for n, line := range strings.Split(s, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		dir, rest, ok := strings.Cut(line, ":")
		if !ok {
			return laws{}, fmt.Errorf("law.txt:%d: want package: imports | modules", n+1)
		}
		dir = strings.TrimSpace(dir)
		imports, mods, _ := strings.Cut(rest, "|")
		if dir == "free" {
			l.free = append(l.free, strings.Fields(imports)...)
			continue
		}
		if _, twice := l.packages[dir]; twice {
			return laws{}, fmt.Errorf("law.txt:%d: %s has two lines", n+1, dir)
		}
		l.packages[dir] = rule{imports: strings.Fields(imports), owns: strings.Fields(mods)}
		l.owners = append(l.owners, strings.Fields(mods)...)
	}
	return l, nil
}
