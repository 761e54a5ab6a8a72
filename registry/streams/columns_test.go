package streams

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/signalbox-ml/signalbox/events/schema"
	"github.com/signalbox-ml/signalbox/registry"
	"github.com/signalbox-ml/signalbox/registry/cas"
	"github.com/signalbox-ml/signalbox/registry/registrytest"
)

// member is one of a schema's properties that has a column.
func member(name, column, kind string) string {
	text := map[string]string{"timestamp": `"type":"string","format":"date-time"`, "date": `"type":"string","format":"date"`}[kind]
	if text == "" {
		text = `"type":"` + kind + `"`
	}
	return fmt.Sprintf(`{"schema":{"properties":{%q:{%s,"x-signalbox-column":%q}}}}`, name, text, column)
}

func TestTableColumns(t *testing.T) {
	sh := &shelf{}
	d := directory(t, sh)
	columns := func(topic string) map[string][]schema.Column {
		t.Helper()
		table, err := d.After(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return table.Columns(topic)
	}
	if got := columns("events.one"); got != nil {
		t.Errorf("%v", got)
	}
	sh.put("one", `{"types":{"a":{"schema":{"type":"object"}}}}`)
	if got := columns("events.one"); got != nil {
		t.Errorf("%v", got)
	}
	sh.put("one", `{"types":{"a":`+member("m", "x", "integer")+`,"b":`+member("n", "x", "integer")+`,"c":`+member("n", "x", "number")+
		`,"d":`+member("n", "at", "timestamp")+`,"e":{"schema":{"type":"nonsense"}},"f":{"schema":{}}}}`)
	want := map[string][]schema.Column{
		"a": {{Name: "x", Property: "m", Kind: schema.ColumnInteger}},
		"b": {{Name: "x", Property: "n", Kind: schema.ColumnInteger}},
		"d": {{Name: "at", Property: "n", Kind: schema.ColumnTimestamp}},
	}
	first := columns("events.one")
	if !reflect.DeepEqual(first, want) {
		t.Errorf("got  %v\nwant %v", first, want)
	}
	if got := columns("events.one.dlq"); got != nil {
		t.Errorf("dead letters: %v", got)
	}
	if reflect.ValueOf(columns("events.one")).Pointer() != reflect.ValueOf(first).Pointer() {
		t.Error("they were made again, and nothing had changed")
	}
	sh.put("one", `{"from":"the future"}`)
	if got := columns("events.one"); !reflect.DeepEqual(got, want) {
		t.Errorf("a spec that cannot be read took the columns away: %v", got)
	}
	sh.put("one", `{"types":{"a":{"schema":{}}}}`)
	if got := columns("events.one"); got != nil {
		t.Errorf("a new spec changes nothing: %v", got)
	}
}

// counted is a catalog that can fail and counts how often a history is read.
type counted struct {
	*registrytest.Memory
	read int
	down error
}

func (c *counted) Spec(ctx context.Context, kind, name string) (registry.Spec, error) {
	if c.down != nil {
		return registry.Spec{}, c.down
	}
	return c.Memory.Spec(ctx, kind, name)
}

func (c *counted) SpecHistory(ctx context.Context, kind, name string) ([]registry.Spec, error) {
	c.read++
	return c.Memory.SpecHistory(ctx, kind, name)
}

// TestHistory: a column that a stream ever had stays, and a history is read once for each generation.
func TestHistory(t *testing.T) {
	c := &counted{Memory: registrytest.NewMemory()}
	h := NewHistory(c)
	has := func(topic string, want ...schema.Column) {
		t.Helper()
		for range 2 {
			if got, err := h.Columns(t.Context(), topic); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v, want %v", topic, got, err, want)
			}
		}
	}
	put := func(name, types string) {
		t.Helper()
		body := []byte(`{"types":{` + types + `}}`)
		if _, _, err := c.PutSpec(t.Context(), registry.Spec{Kind: "Stream", Name: name, Body: body, Digest: cas.Sum(body)}); err != nil {
			t.Fatal(err)
		}
	}
	has("events.shop")
	put("shop", `"a":{"schema":{}}`)
	put("signalbox.runs", `"a":`+member("m", "x", "integer"))
	has("events.shop")
	has("signalbox.runs")
	has("events.shop.dlq")
	x, day := schema.Column{Name: "x", Property: "m", Kind: schema.ColumnInteger}, schema.Column{Name: "day", Property: "d", Kind: schema.ColumnDate}
	put("shop", `"a":`+member("m", "x", "integer"))
	has("events.shop", x)
	put("shop", `"b":`+member("d", "day", "date"))
	has("events.shop", day, x)
	put("shop", `"b":{"schema":{"type":"nonsense"}}`)
	has("events.shop", day, x)
	put("shop", `"a":`+member("m", "x", "boolean")+`,"b":`+member("n", "x", "number"))
	x.Kind = schema.ColumnBoolean
	has("events.shop", day, x)
	if c.read != 5 {
		t.Errorf("read %d times", c.read)
	}
	c.down = errors.New("catalog is away")
	if _, err := h.Columns(t.Context(), "events.shop"); !errors.Is(err, c.down) {
		t.Errorf("%v", err)
	}
}
