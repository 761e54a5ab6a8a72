package lint

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

func TestNoSleepInTests(t *testing.T) {
	for _, p := range load(t) {
		files := testFiles(p)
		bubbles := bubbleMakers(files)
		for _, f := range files {
			for _, d := range f.Decls {
				ast.Inspect(d, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && opensBubble(call, bubbles) || helpsInBubble(f, d) {
						return false
					}
					if from, name := selector(n); from == "time" && name == "Sleep" {
						t.Errorf("%s: time.Sleep in a test outside a synctest bubble", p.fset.Position(n.Pos()))
					}
					return true
				})
			}
		}
	}
}

func TestNoTestSkipsItself(t *testing.T) {
	for _, p := range load(t) {
		for _, f := range testFiles(p) {
			ast.Inspect(f, func(n ast.Node) bool {
				from, name := selector(n)
				if slices.Contains([]string{"t", "b", "f", "tb"}, from) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name) {
					t.Errorf("%s: a test that skips itself", p.fset.Position(n.Pos()))
				}
				return true
			})
		}
	}
}

// testFiles returns the tests of a package, and all of it where it is a kit for tests.
func testFiles(p pkg) []*ast.File {
	if isKit(p.dir) {
		return append(slices.Clone(p.files), p.tests...)
	}
	return p.tests
}

// helpsInBubble reports whether d is a helper beside tests that use synctest: its callers are trusted to be in a bubble.
func helpsInBubble(f *ast.File, d ast.Decl) bool {
	fn, ok := d.(*ast.FuncDecl)
	uses := slices.ContainsFunc(f.Imports, func(i *ast.ImportSpec) bool { return importPath(i) == "testing/synctest" })
	return ok && uses && !strings.HasPrefix(fn.Name.Name, "Test")
}

// bubbleMakers returns the functions of a package that run what they are given in a bubble.
func bubbleMakers(files []*ast.File) map[string]bool {
	makers := map[string]bool{}
	for before := -1; before != len(makers); {
		before = len(makers)
		for _, f := range files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Recv != nil || fn.Body == nil || !takesFunc(fn) {
					continue
				}
				ast.Inspect(fn.Body, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok && opensBubble(call, makers) {
						makers[fn.Name.Name] = true
					}
					return true
				})
			}
		}
	}
	return makers
}

func takesFunc(fn *ast.FuncDecl) bool {
	return slices.ContainsFunc(fn.Type.Params.List, func(p *ast.Field) bool { _, ok := p.Type.(*ast.FuncType); return ok })
}

func opensBubble(call *ast.CallExpr, makers map[string]bool) bool {
	if from, name := selector(call.Fun); from == "synctest" && name == "Test" {
		return true
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && makers[id.Name]
}

// selector returns the two names of x.y, or nothing.
func selector(n ast.Node) (from, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return id.Name, sel.Sel.Name
}
