package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range load(t) {
		if len(p.files) == 0 {
			continue
		}
		said := 0
		for _, f := range p.files {
			if f.Doc != nil {
				said++
			}
		}
		if said != 1 {
			t.Errorf("%s: %d package comments, want 1", p.dir, said)
		}
	}
}

func TestExportedSymbolsAreDocumented(t *testing.T) {
	for _, p := range load(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				if name, at := undocumented(d); name != "" {
					t.Errorf("%s: exported %s has no comment", p.fset.Position(at), name)
				}
			}
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, p := range load(t) {
		for _, f := range p.files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s: init function", p.fset.Position(fn.Pos()))
				}
			}
		}
	}
}

func undocumented(d ast.Decl) (string, token.Pos) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && (d.Recv == nil || receiverExported(d)) {
			return d.Name.Name, d.Pos()
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			if name, at := undocumentedSpec(d, s); name != "" {
				return name, at
			}
		}
	}
	return "", token.NoPos
}

// undocumentedSpec judges one line of a declaration: a group of constants or variables may share the comment above it.
func undocumentedSpec(d *ast.GenDecl, s ast.Spec) (string, token.Pos) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
			return s.Name.Name, s.Pos()
		}
	case *ast.ValueSpec:
		exported := slices.IndexFunc(s.Names, func(n *ast.Ident) bool { return n.IsExported() })
		if exported >= 0 && d.Doc == nil && s.Doc == nil && s.Comment == nil {
			return s.Names[exported].Name, s.Pos()
		}
	}
	return "", token.NoPos
}

func receiverExported(d *ast.FuncDecl) bool {
	t := d.Recv.List[0].Type
	if s, ok := t.(*ast.StarExpr); ok {
		t = s.X
	}
	if x, ok := t.(*ast.IndexExpr); ok {
		t = x.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported() && d.Name.Name != "Error" && d.Name.Name != "Unwrap"
}

func TestFilesStaySmall(t *testing.T) {
	const wall = 600
	for _, p := range load(t) {
		for _, f := range append(slices.Clone(p.files), p.tests...) {
			end := p.fset.Position(f.End())
			limit := wall
			if strings.HasSuffix(end.Filename, "_test.go") {
				limit = 800
			}
			if end.Line > limit {
				t.Errorf("%s: %d lines, the wall is %d", end.Filename, end.Line, limit)
			}
		}
	}
}
