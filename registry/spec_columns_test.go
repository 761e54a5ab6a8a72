package registry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/signalbox-ml/signalbox/events"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/spec"
)

// shop is a stream whose types make no promise to readers: all that holds a change back is columns. A member is
// "type member column kind".
func shop(members ...string) string {
	kinds := map[string]string{
		"boolean": "type: boolean", "integer": "type: integer", "number": "type: number", "text": "type: string",
		"timestamp": "type: string, format: date-time", "date": "type: [string, 'null'], format: date",
	}
	out := "apiVersion: signalbox.dev/v1\nkind: Stream\nmetadata: {name: shop}\nspec:\n  types:\n    opened: {compatibility: none, schema: {}}\n"
	typ := ""
	for _, m := range members {
		f := strings.Fields(m)
		if f[0] != typ {
			typ = f[0]
			out += "    " + typ + ":\n      compatibility: none\n      schema:\n        properties:\n"
		}
		out += fmt.Sprintf("          %s: {%s, x-signalbox-column: %s}\n", f[1], kinds[f[3]], f[2])
	}
	return out
}

// TestColumnsStay applies streams one after the other; each passes, or is refused for what want says.
func TestColumnsStay(t *testing.T) {
	b := newBench(t)
	for _, step := range []struct {
		name    string
		members []string
		want    []string
	}{
		{"one type has a name in two kinds", []string{"paid at at timestamp", "sent a/t at date"},
			[]string{`Stream shop: /spec/types/sent/schema/properties/a~1t/x-signalbox-column: the column "at" is of kind date here and of kind timestamp in the type paid, ` +
				`and they share a table: write another name for one of them, such as "at_date"`}},
		{"two types share a column", []string{"paid at at timestamp", "paid sum total number", "sent when at timestamp"}, nil},
		{"another kind", []string{"paid at at text", "paid sum total number"},
			[]string{`Stream shop: /spec/types/paid/schema/properties/at/x-signalbox-column: the column "at" is of kind timestamp: the stream's type paid had it ` +
				`in generation 1, and the archive keeps that for ever: write another name, such as "at_text"`}},
		{"both types in another kind", []string{"paid at at date", "sent when at date"}, []string{"/paid/schema/properties/at/", "/sent/schema/properties/when/"}},
		{"another name", []string{"paid at at_text text"}, nil},
		{"without columns", nil, nil},
		{"in another type, two generations later", []string{"back total total integer"}, []string{"/back/schema/properties/total/", "is of kind number: the stream's type paid had it in generation 1"}},
		{"one that is the same again, one that is not", []string{"back total total number", "back at at date"}, []string{"/back/schema/properties/at/"}},
		{"the same again", []string{"back total total number", "back at at timestamp"}, nil},
		{"the later name has a kind, too", []string{"back at at_text boolean"}, []string{"/back/schema/properties/at/x-signalbox-column: the column \"at_text\" is of kind text: the stream's type paid had it in generation 2"}},
		{"all of it again", []string{"back at at_text text", "paid at at timestamp", "paid sum total number", "sent when at timestamp", "sent x extra boolean"}, nil},
	} {
		_, err := b.Apply(t.Context(), must(spec.Parse([]byte(shop(step.members...))))(t), false)
		if step.want == nil {
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			continue
		}
		for _, want := range step.want {
			wantInvalid(t, step.name, err, want)
		}
		if n := strings.Count(fmt.Sprint(err), "x-signalbox-column:"); n != strings.Count(fmt.Sprint(step.want), "/schema/properties/") {
			t.Errorf("%s: %d faults: %v", step.name, n, err)
		}
	}
	if s := must(b.Spec(t.Context(), spec.KindStream, "shop"))(t); s.Generation != 5 {
		t.Errorf("%d generations", s.Generation)
	}
}

// TestColumnsFromBefore: a stream that was declared before columns were compared has those of its newest generation.
func TestColumnsFromBefore(t *testing.T) {
	b := newBench(t)
	for _, typ := range []string{"integer", "boolean"} {
		body := []byte(`{"types":{"paid":{"compatibility":"none","schema":{"properties":{"a":{"type":"` + typ + `","x-signalbox-column":true}}}}}}`)
		if _, _, err := b.catalog.PutSpec(t.Context(), registry.Spec{Kind: spec.KindStream, Name: "shop", Body: body, Digest: cas.Sum(body)}); err != nil {
			t.Fatal(err)
		}
	}
	b.apply(t, shop("paid a a boolean"))
	_, err := b.Apply(t.Context(), must(spec.Parse([]byte(shop("paid a a integer"))))(t), false)
	wantInvalid(t, "the oldest kind", err, `the column "a" is of kind boolean`)
}

// TestColumnsAreBounded counts the columns of all types and generations.
func TestColumnsAreBounded(t *testing.T) {
	b := newBench(t)
	apply := func(from, to int) error {
		var members []string
		for i := from; i < to; i++ {
			members = append(members, fmt.Sprintf("t%d m c%d boolean", i, i))
		}
		_, err := b.Apply(t.Context(), must(spec.Parse([]byte(shop(members...))))(t), false)
		return err
	}
	wantInvalid(t, "at once", apply(0, 501), "Stream shop: /spec/types: the stream would have 501 columns with those that it had, and 500 are allowed")
	for _, to := range []int{500, 0, 10} {
		if err := apply(0, to); err != nil {
			t.Error(err)
		}
	}
	wantInvalid(t, "one after the other", apply(500, 502), "would have 502 columns")
}

// rival declares another stream of the same name between the moment of the judgement and that of the change.
type rival struct {
	registry.Catalog
	body string
	down error
}

func (r *rival) PutSpec(ctx context.Context, s registry.Spec, evs ...events.Event) (registry.Spec, bool, error) {
	if body := []byte(r.body); r.body != "" {
		r.body = ""
		if _, _, err := r.Catalog.PutSpec(ctx, registry.Spec{Kind: s.Kind, Name: s.Name, Body: body, Digest: cas.Sum(body)}); err != nil {
			return s, false, err
		}
	}
	return r.Catalog.PutSpec(ctx, s, evs...)
}

func (r *rival) SpecHistory(ctx context.Context, kind, name string) ([]registry.Spec, error) {
	if r.down != nil {
		return nil, r.down
	}
	return r.Catalog.SpecHistory(ctx, kind, name)
}

// TestApplyAtTheSameTime: who was judged by what stands no more is not stored, because nobody compared the two.
func TestApplyAtTheSameTime(t *testing.T) {
	r := &rival{}
	b := newBench(t, func(c *registry.Config) {
		r.Catalog = c.Catalog
		c.Catalog = r
	})
	for _, typ := range []string{"integer", "boolean"} {
		r.body = `{"types":{"paid":{"compatibility":"none","schema":{"properties":{"a` + typ + `":{"type":"` + typ + `","x-signalbox-column":true}}}}}}`
		docs := must(spec.Parse([]byte(shop("paid a a" + typ + " date"))))(t)
		_, err := b.Apply(t.Context(), docs, false)
		wantInvalid(t, "beaten", err, "Stream shop: somebody else declared another one at the same time: look at it, and apply again")
		_, err = b.Apply(t.Context(), docs, false)
		wantInvalid(t, "again", err, `the column "a`+typ+`" is of kind `+typ)
	}
	b.apply(t, shop("paid a other date"))
	r.down = errors.New("catalog is away")
	_, err := b.Apply(t.Context(), must(spec.Parse([]byte(shop("paid a another date"))))(t), false)
	if !errors.Is(err, r.down) || errors.Is(err, registry.ErrInvalid) {
		t.Errorf("%v", err)
	}
}
