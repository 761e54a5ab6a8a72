// Package lint keeps the laws of the tree: who may import whom, who owns which third-party module, and what every
// package must have. It parses the sources itself, because a test that shells out to the go command passes stale from
// Go's test cache.
package lint

import (
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// order is the one law: a package imports only from its own top folder and from those before it.
var order = []string{"schemas", "events", "registry", "consumers", "services", "deploy"}

// adapters tie a contract to one technology. Who picks them is wiring; nothing else depends on the choice.
var adapters = []string{
	"events/kafka", "registry/pgcatalog", "registry/bucket/s3bucket", "registry/bucket/membucket",
	"consumers/train/procbackend", "consumers/train/kubebackend", "consumers/train/raybackend", "consumers/generate/procengine", "consumers/generate/duckengine",
	"services/inference/runtime/trees", "services/inference/runtime/pyworker",
}

// wiring is the packages that may pick an adapter, beside tests, their kits and benchmarks.
var wiring = []string{"services/signalbox", "services/signalbox-duckdb", "services/signalbox-iceberg"}

func TestImportLaw(t *testing.T) {
	law := readLaw(t)
	seen := map[string]bool{}
	for _, p := range load(t) {
		if len(p.files) == 0 {
			continue
		}
		seen[p.dir] = true
		rule, ok := law.packages[p.dir]
		if !ok {
			t.Errorf("%s: no line in deploy/lint/law.txt: say what it may import and what it owns", p.dir)
			continue
		}
		used := map[string]bool{}
		for _, f := range p.files {
			for _, imp := range f.Imports {
				checkImport(t, p, law, rule, p.fset.Position(imp.Pos()), importPath(imp))
				to, _ := local(importPath(imp))
				used[to], used[law.owned(importPath(imp))] = true, true
			}
		}
		for _, to := range slices.Concat(rule.imports, rule.owns) {
			if !used[to] {
				t.Errorf("law.txt: %s may import %s and does not: take it off the line", p.dir, to)
			}
		}
		for _, f := range p.tests {
			for _, imp := range f.Imports {
				if to, ok := local(importPath(imp)); ok && rank(to) > rank(p.dir) {
					t.Errorf("%s: a test in %s imports %s, which stands to its right", p.fset.Position(imp.Pos()), p.dir, to)
				}
			}
		}
	}
	for dir := range law.packages {
		if !seen[dir] {
			t.Errorf("law.txt: %s does not exist", dir)
		}
	}
}

func checkImport(t *testing.T, p pkg, law laws, rule rule, at token.Position, imp string) {
	t.Helper()
	if to, ok := local(imp); ok {
		if why := forbidden(p.dir, to); why != "" {
			t.Errorf("%s: %s imports %s, %s", at, p.dir, to, why)
		} else if !rule.mayImport(to) {
			t.Errorf("%s: %s imports %s, which its line in law.txt does not list", at, p.dir, to)
		}
		return
	}
	if mod := law.owned(imp); mod != "" && !slices.Contains(rule.owns, mod) {
		t.Errorf("%s: %s imports %s, which belongs to others: see law.txt", at, p.dir, imp)
	} else if mod == "" && strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") && !law.isFree(imp) {
		t.Errorf("%s: %s imports %s, which nobody owns: give it an owner in law.txt", at, p.dir, imp)
	}
}

// forbidden says why no line of law.txt can allow an import, or nothing.
func forbidden(from, to string) string {
	switch {
	case rank(to) > rank(from):
		return "which stands to its right in " + strings.Join(order, " < ")
	case consumer(from) != "" && consumer(to) != "" && consumer(from) != consumer(to):
		return "but consumers meet only through events"
	case isBench(from):
		return "" // it starts the same servers as tests, and measures whatever there is
	case isKit(to) && !isKit(from):
		return "which is for tests"
	case slices.Contains(adapters, to) && !slices.Contains(wiring, from) && !isKit(from) && !strings.HasPrefix(from, to+"/"):
		return "an adapter, which only the wiring picks"
	}
	return ""
}

// consumer returns the consumer that a package belongs to.
func consumer(dir string) string {
	name, ok := strings.CutPrefix(dir, "consumers/")
	if !ok {
		return ""
	}
	name, _, _ = strings.Cut(name, "/")
	return name
}

func isBench(dir string) bool {
	return strings.HasPrefix(dir, "deploy/bench/") || dir == "deploy/chaos"
}

// isKit reports whether a package, or one that it belongs to, is for tests.
func isKit(dir string) bool {
	for ; dir != "."; dir = path.Dir(dir) {
		if strings.HasSuffix(dir, "test") {
			return true
		}
	}
	return false
}

func TestForbidden(t *testing.T) {
	tests := []struct {
		from, to string
		want     bool
	}{
		{"registry", "events", false},
		{"events", "registry", true},
		{"consumers/train", "consumers/train/backendtest", true},
		{"consumers/train/backendtest", "consumers/train", false},
		{"consumers/train", "consumers/retrain", true},
		{"consumers/generate/duckengine", "consumers/generate", false},
		{"services/training", "registry/pgcatalog", true},
		{"services/signalbox", "registry/pgcatalog", false},
		{"registry/pgcatalog/pgtest", "registry/pgcatalog", false},
		{"services/signalbox", "registry/bucket/buckettest/minio", true},
		{"deploy/bench/training", "registry/bucket/buckettest/minio", false},
	}
	for _, tc := range tests {
		if got := forbidden(tc.from, tc.to); (got != "") != tc.want {
			t.Errorf("%s imports %s: %q, want it forbidden: %v", tc.from, tc.to, got, tc.want)
		}
	}
}
