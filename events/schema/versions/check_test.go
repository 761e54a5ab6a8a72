package versions

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const order = `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://shop.example/order/1.0","title":"order",
"type":"object","properties":{"id":{"type":"string"},"note":{"type":"string"}},"required":["id"]}`

// later is the next minor of order, with one more member.
var later = strings.NewReplacer("1.0", "1.1", `"note":`, `"channel":{"enum":["web","shop"]},"note":`).Replace(order)

const examples = `{"valid":{"least":{"id":"7"}},"invalid":{"without id":{}}}`

// tree is a directory that is right, with changes; "" takes a file away.
func tree(changes map[string]string) fstest.MapFS {
	files := map[string]string{
		"order/1/0.json": order, "order/1/examples/0.json": examples,
		"order/1/1.json": later, "order/1/examples/1.json": `{"valid":{"web":{"id":"7","channel":"web"}},"invalid":{"channel":{"id":"7","channel":"fax"}}}`,
		"order/2/0.json":          strings.NewReplacer("1.0", "2.0", `"id":{"type":"string"}`, `"id":{"type":"integer"}`).Replace(order),
		"order/2/examples/0.json": `{"valid":{"least":{"id":7}},"invalid":{"text":{"id":"7"}}}`,
		"notes/README.md":         "no type",
	}
	for name, text := range changes {
		files[name] = text
	}
	out := fstest.MapFS{}
	for name, text := range files {
		if text != "" {
			out[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return out
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		changes   map[string]string
		published map[string][]byte
		want      []string // file, pointer and a part of the words; each fault
	}{
		"all is well": {},
		"published as it is, but for annotations": {published: map[string][]byte{
			"order/1/0.json": []byte(strings.Replace(order, `"note":{`, `"note":{"description":"free text",`, 1)), "notes/README.md": []byte("x"),
		}},
		"no schema": {changes: map[string]string{"order/1/1.json": strings.Replace(later, `"enum"`, `"enums"`, 1)},
			want: []string{"order/1/1.json /properties/channel/enums keyword of the subset"}},
		"$id and title of another": {changes: map[string]string{"order/1/1.json": strings.NewReplacer("order/1.1", "order/1.0", `"order"`, `"orders"`).Replace(later)},
			want: []string{"order/1/1.json /$id ends in /order/1.1", `order/1/1.json /title want "order"`}},
		"no dialect": {changes: map[string]string{"order/2/0.json": `{"$id":"https://shop.example/order/2.0","title":"order","properties":{"id":{"type":"integer"}}}`},
			want: []string{"order/2/0.json /$schema draft/2020-12"}},
		"gap": {changes: map[string]string{"order/1/2.json": "", "order/1/1.json": "", "order/1/examples/1.json": "", "order/1/3.json": strings.Replace(later, "1.1", "1.3", 1), "order/1/examples/3.json": examples},
			want: []string{"order/1  version 1 is missing"}},
		"a major is missing":  {changes: map[string]string{"order/1/0.json": "", "order/1/1.json": ""}, want: []string{"order/1  no version", "order/1/examples/0.json  no version", "order/1/examples/1.json  no version"}},
		"misplaced":           {changes: map[string]string{"order/0.json": order, "order/1/01.json": order}, want: []string{"order/0.json  major versions", "order/1/01.json  minor versions"}},
		"examples of nothing": {changes: map[string]string{"order/1/examples/7.json": examples}, want: []string{"order/1/examples/7.json  of no version"}},
		"no examples":         {changes: map[string]string{"order/2/examples/0.json": ""}, want: []string{"order/2/examples/0.json  is missing"}},
		"examples of one kind": {changes: map[string]string{"order/2/examples/0.json": `{"valid":{},"invalid":{"a":{}}}`},
			want: []string{"order/2/examples/0.json /valid at least one"}},
		"misspelt examples": {changes: map[string]string{"order/2/examples/0.json": `{"vald":{}}`}, want: []string{"order/2/examples/0.json  vald"}},
		"examples that lie": {changes: map[string]string{"order/2/examples/0.json": `{"valid":{"a/b":{"id":"x"}},"invalid":{"fine":{"id":1}}}`},
			want: []string{"order/2/examples/0.json /valid/a~1b does not fit order/2/0.json", "order/2/examples/0.json /invalid/fine it fits"}},
		"cannot follow": {changes: map[string]string{"order/1/1.json": strings.Replace(later, `"required":["id"]`, `"required":["channel","id"]`, 1)},
			want: []string{
				"order/1/1.json /required make it 0.json of a new major",
				"order/1/examples/0.json /valid/least does not fit order/1/1.json",
			}},
		"renamed": {changes: map[string]string{"order/1/1.json": strings.Replace(later, `"note"`, `"remark"`, 1)},
			want: []string{"order/1/1.json /properties/note was optional string, is not there"}},
		"published and changed": {published: map[string][]byte{"order/1/1.json": []byte(order)},
			want: []string{"order/1/1.json /properties/channel into the next minor"}},
		"published and gone": {published: map[string][]byte{"order/1/7.json": []byte(order), "order/1/examples/7.json": nil},
			want: []string{"order/1/7.json  bring it back"}},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := Check(tree(c.changes), c.published)
			if err != nil {
				t.Fatal(err)
			}
			got := slices.Clone(report.Faults)
			for _, want := range c.want {
				file, rest, _ := strings.Cut(want, " ")
				pointer, words, _ := strings.Cut(rest, " ")
				i := slices.IndexFunc(got, func(f Fault) bool { return f.File == file && f.Pointer == pointer && strings.Contains(f.Detail, words) })
				if i < 0 {
					t.Errorf("no %q", want)
					continue
				}
				got = slices.Delete(got, i, i+1)
			}
			if len(got) > 0 {
				t.Errorf("not expected: %+v", got)
			}
		})
	}
}

func TestReport(t *testing.T) {
	report, err := Check(tree(nil), nil)
	want := []Checked{{Type: "order", Major: 1, Versions: 2, Examples: 4}, {Type: "order", Major: 2, Versions: 1, Examples: 2}}
	if err != nil || !slices.Equal(report.Types, want) {
		t.Errorf("%+v, %v", report.Types, err)
	}
	if _, err := Check(fstest.MapFS{"a/b": {}}, nil); err != ErrNoSchemas {
		t.Errorf("nothing there: %v", err)
	}
	if _, err := Check(os.DirFS("does-not-exist"), nil); err == nil {
		t.Error("a directory that is not there is well")
	}
}

// TestOwnSchemas: what Signalbox publishes about itself keeps to the rules, with examples.
func TestOwnSchemas(t *testing.T) {
	report, err := Check(os.DirFS("../../../schemas"), nil)
	if err != nil || len(report.Types) < 14 {
		t.Fatalf("%d types, %v", len(report.Types), err)
	}
	for _, f := range report.Faults {
		t.Errorf("%s %s: %s", f.File, f.Pointer, f.Detail)
	}
}
